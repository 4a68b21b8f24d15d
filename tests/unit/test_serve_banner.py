from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from segint_grpc.serve.addresses import Interface
from segint_grpc.serve.banner import banner
from segint_grpc.serve.record import Running

KNOWN = [Interface("eth0", "10.1.2.3", "10.1.2.0/24"), Interface("wlan0", "10.9.0.4", "10.9.0.0/16")]


def running(http: str, *allow: str) -> Running:
    return Running(1, identity="", home="/srv/segint", http=http, grpc="127.0.0.1:50051", allow=allow)


def test_on_loopback_it_says_who_reaches_it_and_how_to_let_others_in() -> None:
    text = banner(running("127.0.0.1:8000"), KNOWN)
    assert "type http://127.0.0.1:8000/. Other machines cannot reach it." in text
    assert "  --http 0.0.0.0:8000 --allow 10.1.2.0/24" in text.splitlines()


def test_on_every_interface_it_gives_the_address_of_each() -> None:
    text = banner(running("0.0.0.0:8000", "10.1.0.0/16"), KNOWN)
    assert "  http://10.1.2.3:8000/   (eth0)" in text
    assert "  http://10.9.0.4:8000/   (wlan0)" in text
    assert "Let in: 10.1.0.0/16" in text
    assert "0.0.0.0" not in text, "nobody can type that into a client"


def test_letting_everybody_in_is_called_what_it_is() -> None:
    text = banner(running("0.0.0.0:8000", "0.0.0.0/0"), KNOWN)
    assert "WARNING" in text
    assert "refused" not in text


def test_where_tokens_count_it_says_how_to_make_one() -> None:
    text = banner(replace(running("0.0.0.0:8000"), client_mode="token"), KNOWN)
    assert "segint token create" in text
    assert "WARNING" not in text


def test_on_loopback_too_it_says_that_tokens_count() -> None:
    text = banner(replace(running("127.0.0.1:8000"), client_mode="token"), KNOWN)
    assert "segint token create" in text


def test_it_names_the_home_and_the_grpc_address() -> None:
    text = banner(running("127.0.0.1:8000"), [])
    assert "/srv/segint" in text
    assert "127.0.0.1:50051" in text


def test_without_a_network_it_says_so() -> None:
    assert "no network interface is up" in banner(running("0.0.0.0:8000", "10.1.0.0/16"), [])


@pytest.mark.parametrize(
    ("tool", "command"),
    [
        ("ufw", "sudo ufw allow from 10.1.0.0/16 to any port 8000 proto tcp"),
        ("firewall-cmd", "sudo firewall-cmd --permanent --add-port=8000/tcp"),
    ],
)
def test_it_says_what_to_open_in_this_machines_firewall(
    monkeypatch: pytest.MonkeyPatch, tool: str, command: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name == tool else None)
    assert command in banner(running("10.1.2.3:8000", "10.1.0.0/16"), KNOWN)
