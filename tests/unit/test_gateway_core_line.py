"""How the gateway reaches its core: in the clear on this machine alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from http_gateway.core import core_credentials
from segint_grpc import errors
from segint_grpc.settings import Settings
from tests.certificates import Certificates


@pytest.mark.parametrize(
    "core", ["", "unix:/run/x.sock", "127.0.0.1:50051", "[::1]:50051", "localhost:1", "ipv4:127.0.0.1:1"]
)
def test_on_this_machine_no_certificate_is_needed(core: str) -> None:
    assert core_credentials(Settings(core=core)) is None


@pytest.mark.parametrize(
    "core", ["10.1.2.3:50051", "core.example:50051", "dns:///core.example:1", "[fd00::2]:1"]
)
def test_scans_do_not_go_to_another_machine_in_the_clear(core: str) -> None:
    with pytest.raises(errors.StartRefused, match="core_ca, core_certificate and core_key"):
        core_credentials(Settings(core=core))


def test_with_an_authority_the_core_may_be_anywhere(tmp_path: Path) -> None:
    made = Certificates(tmp_path)
    certificate, key = made.client("front", gateway=True)
    settings = Settings(
        core="core.example:50051",
        core_ca=str(made.authority),
        core_certificate=str(certificate),
        core_key=str(key),
    )
    assert core_credentials(settings) is not None


def test_a_file_that_cannot_be_used_is_named_with_its_setting() -> None:
    with pytest.raises(errors.InvalidSetting, match="core_ca: there is no file"):
        core_credentials(Settings(core="core.example:50051", core_ca="/nowhere.pem"))
