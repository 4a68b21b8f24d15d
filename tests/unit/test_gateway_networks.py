from __future__ import annotations

import pytest

from http_gateway.networks import (
    admitted,
    check_listening,
    parse_address,
    parse_endpoint,
    parse_networks,
)
from segint_grpc import errors


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:8000", ("::1", 8000)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
    ],
)
def test_an_endpoint_is_a_host_and_a_port(text: str, endpoint: tuple[str, int]) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    "text", ["", "8000", ":8000", "localhost", "localhost:", "localhost:http", "h:65536", "h:-1"]
)
def test_anything_else_is_no_endpoint_and_the_sentence_shows_one(text: str) -> None:
    with pytest.raises(errors.InvalidSetting, match=r"write one as 127\.0\.0\.1:8000"):
        parse_endpoint(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_listening_on_this_machine_alone_needs_no_networks(host: str) -> None:
    check_listening(host, ())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_listening_beyond_it_is_refused_with_the_advice_to_name_networks(host: str) -> None:
    with pytest.raises(errors.StartRefused, match="--allow"):
        check_listening(host, ())
    check_listening(host, parse_networks(["192.0.2.0/24"]))


def test_a_host_that_nobody_knows_is_refused() -> None:
    with pytest.raises(errors.StartRefused, match=r"nowhere\.invalid"):
        check_listening("nowhere.invalid", ())


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(errors.InvalidSetting, match=r"'10\.0\.0\.0/99'"):
        parse_networks(["10.0.0.0/8", "10.0.0.0/99"])


@pytest.mark.parametrize(
    ("peer", "networks", "allowed"),
    [
        ("203.0.113.9", [], True),
        ("203.0.113.9", ["10.0.0.0/8"], False),
        ("10.1.2.3", ["192.0.2.0/24", "10.0.0.0/8"], True),
        ("::ffff:10.1.2.3", ["10.0.0.0/8"], True),
        ("10.1.2.3", ["10.1.2.3"], True),
        ("fe80::1%eth0", ["fe80::/10"], True),
        ("2001:db8::1", ["10.0.0.0/8"], False),
        ("127.0.0.1", ["10.0.0.0/8"], True),
        ("::1", ["10.0.0.0/8"], True),
        ("nobody", ["10.0.0.0/8"], False),
    ],
)
def test_peers_of_the_networks_and_this_machine_may_connect(
    peer: str, networks: list[str], allowed: bool
) -> None:
    assert admitted(parse_address(peer), parse_networks(networks)) is allowed
