"""Files that change are taken up at the next handshake; what cannot be used leaves the old identity."""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.settings import Settings
from segint_grpc.tls.identity import Files, server_files
from segint_grpc.tls.watched import Watched
from tests.certificates import NAMES, Certificates


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "tls")


def files_of(made: Certificates) -> Files:
    files = server_files(Settings(**made.settings_with_clients))
    assert files is not None
    return files


def test_what_did_not_change_is_not_read_again(made: Certificates) -> None:
    watched = Watched(files_of(made))
    assert watched.identity() is watched.identity()


def test_a_renewed_certificate_is_taken_up_and_told(
    made: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    watched = Watched(files_of(made))
    before = watched.identity()
    made.renew(NAMES)
    after = watched.identity()
    assert after.chain_pem == made.server.read_bytes() != before.chain_pem
    assert [record.message for record in caplog.records] == ["The certificate was read again."]


def test_an_authority_that_changed_is_taken_up(made: Certificates, tmp_path: Path) -> None:
    watched = Watched(files_of(made))
    other = Certificates(tmp_path / "other")
    shutil.copy(other.authority, made.authority)
    assert watched.identity().authority_pem == other.authority.read_bytes()


@pytest.mark.parametrize("broken", ["no certificate", ""])
def test_a_broken_change_keeps_what_was_and_says_so_once(
    made: Certificates, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    watched = Watched(files_of(made))
    before = watched.identity()
    good = made.server.read_bytes()
    made.server.write_text(broken)
    assert watched.identity() is watched.identity() is before
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "the one before it stays: tls_certificate" in record.getMessage()
    made.server.write_bytes(good)
    assert watched.identity().chain_pem == good


def test_a_file_that_vanished_keeps_what_was(made: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(files_of(made))
    before = watched.identity()
    made.server_key.unlink()
    assert watched.identity() is before
    assert "there is no file" in caplog.text


def test_a_key_that_came_before_its_certificate_waits_for_it(made: Certificates) -> None:
    watched = Watched(files_of(made))
    before = watched.identity()
    old = made.server.read_bytes()
    made.renew(NAMES)
    new = made.server.read_bytes()
    made.server.write_bytes(old)
    assert watched.identity() is before
    made.server.write_bytes(new)
    assert watched.identity().chain_pem == new


def test_files_that_cannot_be_used_from_the_start_are_refused(made: Certificates) -> None:
    made.server_key.chmod(0o604)
    with pytest.raises(errors.InvalidSetting):
        Watched(files_of(made))


def test_an_end_within_30_days_is_warned_of_once_a_day(
    made: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    now = datetime.now(UTC)
    days = 0.0
    watched = Watched(files_of(made), lambda: now + timedelta(days=days))
    counts = []
    for days in (690, 701, 701.5, 702.1):  # noqa: B007 (the clock reads it)
        watched.identity()
        counts.append(len(caplog.records))
    assert counts == [0, 1, 1, 2]
    assert caplog.records[0].getMessage().startswith(f"The certificate {made.server} ends on ")
