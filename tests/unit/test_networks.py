from __future__ import annotations

import pytest

from segint_grpc import errors
from segint_grpc.networks import (
    Doorstep,
    admitted,
    check_exposure,
    client_address,
    origin_of,
    parse_address,
    parse_endpoint,
    parse_networks,
)
from segint_grpc.settings import Settings


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
    assert parse_endpoint(text, "http") == endpoint


@pytest.mark.parametrize(
    "text", ["", "8000", ":8000", "localhost", "localhost:", "localhost:http", "h:65536", "h:-1"]
)
def test_anything_else_is_no_endpoint_and_the_sentence_shows_one(text: str) -> None:
    with pytest.raises(errors.InvalidSetting, match=r"write one as 127\.0\.0\.1:8000"):
        parse_endpoint(text, "http")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_listening_on_this_machine_alone_needs_no_networks(host: str) -> None:
    check_exposure(Settings(), "http", host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
@pytest.mark.parametrize("setting", ["http", "grpc"])
def test_listening_beyond_it_is_refused_while_open_with_both_ways_to_mend_it(host: str, setting: str) -> None:
    for settings in (Settings(), Settings(client_mode="open", allow=("192.0.2.0/24",))):
        with pytest.raises(errors.StartRefused, match=rf"{setting}.*--allow.*--client-mode token"):
            check_exposure(settings, setting, host)


@pytest.mark.parametrize(
    "settings",
    [Settings(allow=("192.0.2.0/24",)), Settings(client_mode="token"), Settings(client_mode="network")],
)
def test_listening_beyond_it_is_fine_by_network_or_by_token(settings: Settings) -> None:
    check_exposure(settings, "http", "0.0.0.0")


def test_a_host_that_nobody_knows_is_refused() -> None:
    with pytest.raises(errors.InvalidSetting, match=r"nowhere\.invalid"):
        check_exposure(Settings(), "http", "nowhere.invalid")


@pytest.mark.parametrize(
    ("allow", "client_mode", "mode"),
    [
        ((), "", "open"),
        (("10.0.0.0/8",), "", "network"),
        (("10.0.0.0/8",), "token", "token"),
        ((), "token", "token"),
    ],
)
def test_a_list_of_networks_alone_means_the_mode_network(
    allow: tuple[str, ...], client_mode: str, mode: str
) -> None:
    assert Settings(allow=allow, client_mode=client_mode).mode == mode


def test_in_the_mode_network_without_networks_only_this_machine_may_come() -> None:
    doorstep = Doorstep(Settings(client_mode="network"))
    doorstep.check(parse_address("127.0.0.1"))
    with pytest.raises(errors.Forbidden):
        doorstep.check(parse_address("10.0.0.1"))


PROXIES = parse_networks(["10.0.0.0/24", "127.0.0.1"])


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # no proxy of ours: what it says counts for nothing
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [" "], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # the left one anybody may have written
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        (
            "10.0.0.1",
            ["1.1.1.1", "198.51.100.1", "10.0.0.2"],
            "198.51.100.1",
        ),  # headers in a row are one list
        ("127.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("127.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("127.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("127.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["127.0.0.1"], "127.0.0.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1, unknown"], None),
        ("10.0.0.1", ["198.51.100.1, "], "198.51.100.1"),
    ],
)
def test_behind_a_trusted_proxy_it_is_the_rightmost_address_that_is_no_proxy(
    peer: str, headers: list[str], client: str | None
) -> None:
    found = client_address(parse_address(peer), headers, PROXIES)
    assert found == (None if client is None else parse_address(client))


def test_an_address_behind_a_proxy_that_is_none_may_not_come_where_networks_count() -> None:
    with pytest.raises(errors.Forbidden):
        Doorstep(Settings(allow=("10.0.0.0/8",))).check(None)


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(errors.InvalidSetting, match=r"'10\.0\.0\.0/99'"):
        parse_networks(["10.0.0.0/8", "10.0.0.0/99"])


@pytest.mark.parametrize(
    ("peer", "networks", "allowed"),
    [
        ("203.0.113.9", [], False),
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


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1"])
def test_listed_networks_and_this_machine_may_come(address: str) -> None:
    Doorstep(Settings(allow=("10.1.0.0/16", "2001:db8::/32"))).check(parse_address(address))


@pytest.mark.parametrize("address", ["10.2.2.3", "2001:db9::1"])
def test_an_address_outside_the_listed_networks_is_named_in_the_refusal(address: str) -> None:
    with pytest.raises(errors.Forbidden, match=address):
        Doorstep(Settings(allow=("10.1.0.0/16", "2001:db8::/32"))).check(parse_address(address))


def test_an_address_with_host_bits_names_its_network() -> None:
    assert str(parse_networks(["192.168.10.7/24"])[0]) == "192.168.10.0/24"


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:0:1:2::3", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_machine_with_many_addresses_is_one(address: str, origin: str) -> None:
    assert origin_of(address) == origin
