"""What whoever starts the server is told of its encryption, and what `segint doctor` finds in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from segint_grpc import errors
from segint_grpc.client.findings import Level
from segint_grpc.client.tls_check import check_tls
from segint_grpc.serve.banner import banner
from segint_grpc.serve.encryption import check_certificate, ending, security_notes
from segint_grpc.serve.record import Running
from segint_grpc.settings import Settings
from tests.certificates import Certificates

NOW = datetime.now(UTC)


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "tls")


def running(**addresses: Any) -> Running:
    return Running(1, "", "/srv/segint", **{"http": "127.0.0.1:8000", "grpc": "127.0.0.1:50051", **addresses})


def test_on_this_machine_alone_there_is_nothing_to_say() -> None:
    assert security_notes(Settings(), running()) == ()


def test_plain_ports_beyond_this_machine_are_called_what_they_are() -> None:
    http, grpc = security_notes(Settings(), running(http="10.1.2.3:8000", grpc="10.1.2.3:50051"))
    assert http.startswith("HTTP on 10.1.2.3:8000 is not encrypted")
    assert "Only the routes that Velocity needs answer there" in http
    assert "segint certs init" in grpc


def test_with_a_certificate_the_grpc_port_is_encrypted(made: Certificates) -> None:
    settings = Settings(**made.settings)
    assert security_notes(settings, running(grpc="10.1.2.3:50051")) == ()


def test_an_end_within_30_days_is_told_with_how_to_renew(made: Certificates) -> None:
    identity = check_certificate(Settings(**made.settings))
    assert identity is not None
    assert ending(identity, NOW + timedelta(days=690)) == []
    (note,) = ending(identity, NOW + timedelta(days=719, hours=12))
    assert "in 10 days" in note
    assert "segint certs renew" in note


def test_the_core_files_are_checked_before_anything_starts() -> None:
    with pytest.raises(errors.InvalidSetting, match="core_ca: there is no file"):
        check_certificate(Settings(core_ca="/nowhere.pem"))


def test_the_banner_names_both_ports_and_the_notes() -> None:
    text = banner(running(https="127.0.0.1:8443", notes=("The certificate ends.",)), [])
    assert "  HTTP (Velocity)   http://127.0.0.1:8000/" in text.splitlines()
    assert "  HTTPS             https://127.0.0.1:8443/" in text.splitlines()
    assert text.splitlines()[-1] == "NOTE: The certificate ends."


def test_the_banner_of_a_server_without_plain_http_gives_the_address_with_tls() -> None:
    text = banner(running(http="", https="127.0.0.1:8443"), [])
    assert "HTTP (Velocity)" not in text
    assert "type https://127.0.0.1:8443/." in text


def test_doctor_finds_a_good_certificate_one_that_ends_and_one_of_no_use(made: Certificates) -> None:
    settings = Settings(**made.settings)
    assert check_tls(Settings()).level is Level.OK
    assert check_tls(settings, NOW).level is Level.OK
    soon = check_tls(settings, NOW + timedelta(days=720))
    assert (soon.level, soon.next) == (Level.WARNING, "segint certs renew")
    late = check_tls(settings, NOW + timedelta(days=731))
    assert (late.level, late.next) == (Level.PROBLEM, "segint certs show")
    made.server_key.chmod(0o644)
    assert "chmod 600" in check_tls(settings, NOW).text
