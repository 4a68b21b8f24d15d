"""Who is at the other end of a connection.

gRPC writes a peer as `ipv4:10.0.0.7:50000`, `ipv6:%5Bfe80::1%25eth0%5D:50000` or `unix:`.
"""

from __future__ import annotations

import urllib.parse

from segint_grpc import errors
from segint_grpc.networks import Address, parse_address


def address_of(peer: str) -> Address | None:
    """Return the network address in `peer`, or None where it came through a unix socket.

    An IPv4 address that reached an IPv6 socket (`::ffff:10.0.0.7`, RFC 4291 section 2.5.5.2) is IPv4.

    Raises:
        Forbidden: `peer` is of no known form, so nothing can be said for it.
    """
    kind, _, rest = peer.partition(":")
    if kind == "unix":
        return None
    address = parse_address(urllib.parse.unquote(rest).rpartition(":")[0])
    if address is None:
        raise errors.Forbidden("The caller's network address is unknown.")
    return address
