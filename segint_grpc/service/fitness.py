"""What keeps a version from running: its back end, its files, and code that nobody has approved. Blocking.

Code is approved by content. A file that carries code is therefore hashed before it runs, once for each
state that it is in on disk: one that was edited where it lies is another file, and does not run.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from segint_grpc import backends, errors
from segint_grpc.backends.base import BackEnd, ModelSource, TileBackEnd
from segint_grpc.backends.surroundings import own_back_ends
from segint_grpc.domain.models import FileRecord, RuntimeRecord
from segint_grpc.domain.remotes import HERE_ALONE, RemoteRules
from segint_grpc.guests.outside import Interpreter
from segint_grpc.interpreters import path_of
from segint_grpc.store.media import Media

_Stamp = tuple[str, int, int, int]


@dataclass(frozen=True)
class BackEndView:
    """An installed back end: what it is for, and why it cannot be used (empty where it can)."""

    name: str
    summary: str
    problem: str


class Fitness:
    """Looks at runtimes, and remembers what it found in files as long as these stay as they are."""

    def __init__(
        self,
        media: Media,
        remotes: RemoteRules = HERE_ALONE,
        interpreters: Mapping[str, str] | None = None,
    ) -> None:
        """Look at the files of `media`; `remotes` are the servers elsewhere that the settings allow.

        `interpreters` are those that runtimes may name: name → path.
        """
        self.remotes = remotes
        self._media = media
        self._interpreters = interpreters or {}
        self._ours = own_back_ends()
        self._back_ends: dict[str, BackEnd] = {}
        self._digests: dict[_Stamp, str] = {}
        self._carriers: dict[tuple[str, _Stamp], bool] = {}

    def back_end(self, name: str) -> BackEnd:
        """Return the back end `name`.

        Raises:
            InvalidModel: there is none of that name, or it cannot be used here.
        """
        if name not in self._back_ends:
            self._back_ends[name] = backends.load_backend(name)
        return self._back_ends[name]

    def back_ends(self) -> list[BackEndView]:
        """Return the installed back ends, by name."""
        return [self._back_end_view(name) for name in backends.names()]

    def check(self, runtime: RuntimeRecord, approved: Container[str]) -> None:
        """Check that `runtime` may run and could; `approved` holds the SHA-256 of contents that may run code.

        Raises:
            InvalidModel: its back end cannot be used, or a file is missing or not what was stored, or its
                interpreter is.
            NotApproved: a file carries code that is not approved; the message says how to approve it.
        """
        if runtime.interpreter:
            self._interpreter(runtime)
        else:
            self.back_end(runtime.backend)
        for file in runtime.files:
            self._check_size(file)
        for file in self.code_files(runtime):
            if file.sha256 not in approved:
                raise errors.NotApproved(
                    f"{file.name} carries code that nobody has approved. Look at it, then: "
                    f"segint model approve {file.sha256[:12]}"
                )
            self._check_content(file)

    def takes_tiles(self, runtime: RuntimeRecord, source: ModelSource) -> bool:
        """Check that the back end has a use for `source`, and return whether it can run models on tiles.

        Where the runtime names an interpreter, that is asked, which takes a moment.

        Raises:
            InvalidModel: it has none, or the interpreter cannot run models.
        """
        if runtime.interpreter:
            return self._interpreter(runtime).check(runtime.backend, source)
        back_end = self.back_end(runtime.backend)
        try:
            back_end.check(source)
        except errors.SegIntError:
            raise
        except Exception as error:
            # Another package's, which must not keep the server from its other models.
            why = f"The back end {runtime.backend} failed in its check ({type(error).__name__}: {error})."
            raise errors.InvalidModel(why) from error
        return isinstance(back_end, TileBackEnd)

    def code_files(self, runtime: RuntimeRecord) -> list[FileRecord]:
        """Return those of the runtime's files that carry code; raises InvalidModel as `back_end`."""
        model, module = runtime.model_file, runtime.module_file
        carriers = (
            [model] if model and self._carries_code(model, runtime.backend, runtime.interpreter) else []
        )
        return [module, *carriers] if module else carriers

    def may_carry_code(self, file: FileRecord, users: Collection[RuntimeRecord] = ()) -> bool:
        """Return whether a stored file is code for one of `users`, by default for any back end here."""
        where = {(user.backend, user.interpreter) for user in users} or {(n, "") for n in backends.names()}
        return file.name.endswith(".py") or any(
            self._carries_code(file, name, interpreter)
            for name, interpreter in where
            if interpreter or self._usable(name)
        )

    def path(self, file: FileRecord | None) -> Path | None:
        """Return where `file` lies, absolute; None for none."""
        return self._media.model_file_path(file).absolute() if file else None

    def cache(self, file: FileRecord | None) -> Path | None:
        """Return where `file` is unpacked, if it is a folder's zip, absolute; None for none."""
        return self._media.unpacked_path(file).absolute() if file else None

    def _back_end_view(self, name: str) -> BackEndView:
        try:
            return BackEndView(name, self.back_end(name).summary, "")
        except errors.SegIntError as error:
            return BackEndView(name, "", error.message)

    def _usable(self, name: str) -> bool:
        try:
            return bool(self.back_end(name))
        except errors.InvalidModel:
            return False

    def _interpreter(self, runtime: RuntimeRecord) -> Interpreter:
        path = path_of(runtime.interpreter, self._interpreters)
        interpreter = Interpreter(runtime.interpreter, path)
        if not os.access(path, os.X_OK):
            raise errors.InvalidModel(interpreter.failure("there is nothing that can be executed").message)
        return interpreter

    def _carries_code(self, file: FileRecord, back_end: str, interpreter: str) -> bool:
        if interpreter and back_end not in self._ours:
            # What that environment has installed under this name, nobody here can ask.
            return True
        path = self._media.model_file_path(file)
        key = (back_end, _stamp(path))
        if key not in self._carriers:
            self._carriers[key] = _carries_code(self.back_end(back_end), path)
        return self._carriers[key]

    def _check_size(self, file: FileRecord) -> None:
        path = self._media.model_file_path(file)
        try:
            size_bytes = path.stat().st_size
        except OSError:
            raise errors.InvalidModel(f"The file {path} is missing; upload it again.") from None
        if size_bytes != file.size_bytes:
            raise errors.InvalidModel(
                f"The file {path} has {size_bytes} bytes instead of {file.size_bytes}; upload it again."
            )

    def _check_content(self, file: FileRecord) -> None:
        path = self._media.model_file_path(file)
        stamp = _stamp(path)
        if stamp not in self._digests:
            with path.open("rb") as opened:
                self._digests[stamp] = hashlib.file_digest(opened, "sha256").hexdigest()
        if self._digests[stamp] != file.sha256:
            raise errors.InvalidModel(
                f"The file {path} was changed where it lies, so it is not what was approved; upload it again."
            )


def _carries_code(back_end: BackEnd, path: Path) -> bool:
    try:
        return back_end.carries_code(path)
    except Exception:
        # What a back end of another package cannot look at may be anything.
        return True


def quoted(version_id: str) -> str:
    """Return `version_id` as it is typed into a shell."""
    return shlex.quote(version_id)


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return (str(path), 0, 0, 0)
    return (str(path), status.st_mtime_ns, status.st_size, status.st_ino)
