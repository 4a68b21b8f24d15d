"""PEM files that cannot be used are refused with the setting's name, before anything listens."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.settings import Settings
from segint_grpc.tls.identity import core_files, read, server_files
from tests.certificates import Certificates


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "tls")


def identity_of(made: Certificates, now: datetime | None = None, **changes: str) -> object:
    files = server_files(Settings(**{**made.settings_with_clients, **changes}))
    assert files is not None
    return read(files, now)


def refusal(made: Certificates, now: datetime | None = None, **changes: str) -> str:
    with pytest.raises(errors.InvalidSetting) as caught:
        identity_of(made, now, **changes)
    return caught.value.message


def test_without_a_certificate_there_is_no_tls() -> None:
    assert server_files(Settings()) is None
    assert core_files(Settings()) is None


def test_a_relative_path_is_looked_for_in_the_home(made: Certificates) -> None:
    settings = Settings(
        home=str(made.path.parent), tls_certificate="tls/server.pem", tls_key="tls/server.key"
    )
    files = server_files(settings)
    assert files is not None
    assert read(files).chain_pem == made.server.read_bytes()


@pytest.mark.parametrize("alone", ["tls_certificate", "tls_key"])
def test_certificate_and_key_are_set_together(alone: str) -> None:
    with pytest.raises(errors.InvalidSetting, match="tls_certificate and tls_key are of use together"):
        server_files(Settings(**{alone: "x.pem"}))


def test_https_and_a_client_authority_ask_for_a_certificate() -> None:
    with pytest.raises(errors.InvalidSetting, match="segint certs init"):
        server_files(Settings(https="127.0.0.1:0"))
    with pytest.raises(errors.InvalidSetting, match="tls_client_ca is set without"):
        server_files(Settings(tls_client_ca="x.pem"))


def test_a_gateways_certificate_asks_for_the_cores_authority() -> None:
    with pytest.raises(errors.InvalidSetting, match="core_ca"):
        core_files(Settings(core_certificate="x.pem", core_key="x.key"))


@pytest.mark.parametrize("name", ["tls_certificate", "tls_key", "tls_client_ca"])
def test_a_missing_file_is_named_with_its_setting(made: Certificates, name: str) -> None:
    assert refusal(made, **{name: "/nowhere.pem"}).startswith(f"{name}: there is no file /nowhere.pem")


@pytest.mark.parametrize("name", ["tls_certificate", "tls_key", "tls_client_ca"])
def test_a_folder_is_no_file(made: Certificates, name: str) -> None:
    assert "cannot be read (Is a directory)" in refusal(made, **{name: str(made.path)})


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_told(made: Certificates) -> None:
    made.server_key.chmod(0)
    assert "Permission denied" in refusal(made)


@pytest.mark.parametrize("name", ["tls_certificate", "tls_client_ca"])
def test_a_key_is_no_certificate(made: Certificates, name: str) -> None:
    assert "holds no certificate in PEM form" in refusal(made, **{name: str(made.server_key)})


def test_a_certificate_is_no_key(made: Certificates) -> None:
    assert "holds no private key in PEM form" in refusal(made, tls_key=str(made.server))


def test_a_key_of_another_certificate_is_refused(made: Certificates) -> None:
    text = refusal(made, tls_key=str(made.authority_key))
    assert text.startswith(f"tls_key: the key {made.authority_key} is not that of the first certificate")


def test_a_key_that_every_user_may_open_is_refused_with_the_command_that_mends_it(made: Certificates) -> None:
    made.server_key.chmod(0o644)
    assert refusal(made).endswith(f"mend it with: chmod 600 {made.server_key}")
    made.server_key.chmod(0o640)
    identity_of(made)


def test_a_key_behind_a_passphrase_is_refused(made: Certificates) -> None:
    locked = made.path / "locked.key"
    command = ["openssl", "pkcs8", "-topk8", "-passout", "pass:x", "-in", made.server_key, "-out", locked]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert "passphrase" in refusal(made, tls_key=str(locked))


def test_a_certificate_that_has_ended_or_not_begun_is_refused(made: Certificates) -> None:
    now = datetime.now(UTC)
    assert "ended on" in refusal(made, now + timedelta(days=731))
    assert "is the clock right?" in refusal(made, now - timedelta(days=1))


def test_no_refusal_repeats_the_key(made: Certificates) -> None:
    secret = made.server_key.read_text().splitlines()[1]
    for changes in ({"tls_certificate": str(made.server_key)}, {"tls_client_ca": str(made.server_key)}):
        assert secret not in refusal(made, **changes)
