"""Where the audit log is forwarded to: a syslog server over UDP, TCP or a unix socket, or journald.

Lines are RFC 5424; over TCP each has its length in front (RFC 6587, octet counting). journald is spoken to in
its own protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/), so that every field can be searched for.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit

from segint_grpc import errors
from segint_grpc.domain.audit import BEGUN, OK, Head, Record

JOURNAL = "/run/systemd/journal/socket"
TIMEOUT_S = 2.0
BUFFER_BYTES = 64 * 1024
"""How much the system keeps that was sent and has not gone out: lost where the log server never reads it."""

_AUTHPRIV, _NOTICE, _WARNING = 10, 5, 4
_WELL = (OK, BEGUN)
_NAMES = ("principal", "address", "door", "act", "kind", "object_id", "outcome", "request_id", "details")


class Told:
    """A message on its way to another log: a record, or, where there is none, the chain's head alone."""

    def __init__(self, head: Head, at: datetime, record: Record | None = None) -> None:
        """Tell of `record`, or at the moment `at` of `head`."""
        self.at = record.entry.at if record else at
        self.severity = _NOTICE if record is None or record.entry.outcome in _WELL else _WARNING
        self.fields = {"seq": str(head.seq), "hash": head.hash}
        self.text = f"head of the audit log {head}"
        if record:
            entry = record.entry
            self.fields |= {name: str(getattr(entry, name)) for name in _NAMES}
            self.text = f"{entry.principal} {entry.act} {entry.object_id or entry.kind} {entry.outcome}"


class Target(Protocol):
    """A log elsewhere. `send` blocks, for about `TIMEOUT_S` at most, and raises OSError where it cannot."""

    def send(self, told: Told) -> None:
        """Hand one message over."""

    def close(self) -> None:
        """Let go of the connection, so that the next `send` makes a new one."""


def target_of(text: str) -> Target:
    """Return the target that the setting `audit_syslog` names; nothing is connected yet.

    Raises:
        InvalidSetting: it names none.
    """
    if text == "journald":
        return Journal(JOURNAL)
    kind, _, rest = text.partition(":")
    if kind == "unix" and rest.startswith("/"):
        return Syslog(socket.AF_UNIX, socket.SOCK_DGRAM, rest)
    parts = urlsplit(text)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in ("udp", "tcp") or not host or not port or parts.path:
        raise errors.InvalidSetting(
            f"audit_syslog: {text!r} is no place for a log; write journald, unix:/dev/log, udp://HOST:514 or "
            "tcp://HOST:601."
        )
    stream = parts.scheme == "tcp"
    return Syslog(socket.AF_UNSPEC, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM, (host, port))


class Syslog:
    """A syslog server."""

    def __init__(self, family: int, kind: int, address: str | tuple[str, int]) -> None:
        """Name it: a path, or host and port."""
        self._family = family
        self._kind = kind
        self._address = address
        self._socket: socket.socket | None = None

    def send(self, told: Told) -> None:
        """Hand one message over."""
        line = syslog_line(told, socket.gethostname(), os.getpid()).encode()
        if self._kind == socket.SOCK_STREAM:
            line = b"%d %s" % (len(line), line)
        connection = self._connected()
        if self._kind == socket.SOCK_STREAM and _hung_up(connection):
            self.close()
            raise ConnectionResetError("the log server has closed the connection")
        connection.sendall(line)

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> socket.socket:
        if isinstance(self._address, str):
            return _opened(self._family, self._kind, self._address)
        host, port = self._address
        failure: OSError | None = None
        for family, kind, _, _, address in socket.getaddrinfo(host, port, type=self._kind):
            try:
                return _opened(family, kind, address)
            except OSError as error:
                failure = error
        raise failure or OSError("the log server has no address")


class Journal:
    """The journal of systemd."""

    def __init__(self, path: str) -> None:
        """Name its socket."""
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, told: Told) -> None:
        """Hand one message over, each field by its own name."""
        if self._socket is None:
            self._socket = _opened(socket.AF_UNIX, socket.SOCK_DGRAM, self._path)
        fields = {"MESSAGE": told.text, "PRIORITY": str(told.severity), "SYSLOG_IDENTIFIER": "segint"}
        fields |= {"SYSLOG_FACILITY": str(_AUTHPRIV)}
        fields |= {f"SEGINT_AUDIT_{name.upper()}": value for name, value in told.fields.items()}
        self._socket.sendall(b"".join(_journal_field(name, value) for name, value in fields.items()))

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None


def syslog_line(told: Told, host: str, pid: int) -> str:
    """Return `told` as a line of RFC 5424, with its fields as structured data."""
    moment = told.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    data = " ".join(f'{name}="{_escaped(value)}"' for name, value in told.fields.items())
    what = "record" if "act" in told.fields else "head"
    start = f"<{_AUTHPRIV * 8 + told.severity}>1 {moment} {host} segint {pid} {what}"
    return f"{start} [audit@32473 {data}] {told.text}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _journal_field(name: str, value: str) -> bytes:
    raw = value.encode()
    if b"\n" not in raw:
        return name.encode() + b"=" + raw + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(raw)) + raw + b"\n"


def _opened(family: int, kind: int, address: object) -> socket.socket:
    connection = socket.socket(family, kind)
    try:
        connection.settimeout(TIMEOUT_S)
        if kind == socket.SOCK_STREAM:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        connection.connect(address)  # type: ignore[arg-type] # a path, or what getaddrinfo gives
    except BaseException:
        connection.close()
        raise
    return connection


def _hung_up(connection: socket.socket) -> bool:
    """Return whether the other side has closed: a log server sends nothing but the end."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0)) and connection.recv(4096) == b""
