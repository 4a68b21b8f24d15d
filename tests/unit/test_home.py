from __future__ import annotations

import os
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.home import SOCKET_PATH_MAX, Home, unix_target


def deep(folder: Path) -> Path:
    return folder / ("x" * 90) / ("y" * 90)


def test_the_socket_lies_in_the_home_where_its_path_is_short_enough() -> None:
    assert Home(Path("/srv/segint")).admin_socket == Path("/srv/segint/run/admin.sock")


def test_a_deep_home_gets_a_short_private_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    one, other = Home(deep(tmp_path) / "a").admin_socket, Home(deep(tmp_path) / "b").admin_socket
    assert one != other
    assert len(os.fsencode(one)) <= SOCKET_PATH_MAX
    assert one.parent.stat().st_mode & 0o777 == 0o700


def test_a_deep_temporary_folder_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep(tmp_path)))
    monkeypatch.setattr("tempfile.tempdir", str(deep(tmp_path)))
    socket = Home(deep(tmp_path)).admin_socket
    socket.parent.rmdir()
    assert len(os.fsencode(socket)) <= SOCKET_PATH_MAX


def test_a_folder_that_somebody_else_prepared_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    prepared = Home(deep(tmp_path)).admin_socket.parent
    prepared.chmod(0o755)
    with pytest.raises(errors.StartRefused, match="alone"):
        _ = Home(deep(tmp_path)).admin_socket


def test_a_socket_s_path_is_quoted_for_grpc() -> None:
    assert unix_target(Path("/home/a b/50%/admin.sock")) == "unix:/home/a%20b/50%25/admin.sock"


def test_a_home_that_cannot_be_made_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.StartRefused, match="--home"):
        Home(tmp_path / "file" / "home").create()
