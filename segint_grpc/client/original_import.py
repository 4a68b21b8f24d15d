"""Gives what an original research server held to the server of a home."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message

from generated.radiomics.Model_pb2 import ModelFamily
from generated.segint.v1 import models_pb2, segmentation_pb2
from generated.segint.v1.segmentation_pb2_grpc import SegmentationStub
from segint_grpc import errors
from segint_grpc.client.administration import Administration, Progress
from segint_grpc.client.connection import DEADLINE_S, Place
from segint_grpc.client.job_administration import JobAdministration
from segint_grpc.client.original import Original, OriginalRuntime

Said = TypeVar("Said", bound=Message)

Bar = Callable[[str, int], AbstractContextManager[Progress]]
"""Shows a file's way, of a name and a size in bytes."""


@dataclass
class Brought:
    """What has come now, by name or number; `notes` says what could not, a sentence each."""

    families: list[str] = field(default_factory=list)
    files: int = 0
    feedback: int = 0
    telemetry: int = 0
    notes: list[str] = field(default_factory=list)


class OriginalImport(Administration):
    """A connection to the server of one home that takes an original server over.

    What has come before is left as it is, so that an import that was cut short can be called again.
    """

    def __init__(self, place: Place, jobs: JobAdministration) -> None:
        """Prepare to talk to the server at `place`; `jobs` tells which feedback and telemetry is there."""
        super().__init__(place)
        self._segmentation = SegmentationStub(self._channel)
        self._jobs = jobs
        self._brought = Brought()

    def bring(self, original: Original, bar: Bar) -> Brought:
        """Import `original`; return what came and what could not."""
        self._brought = Brought(notes=list(original.notes))
        lacking: set[str] = set()
        here = {family.family.CanonicalName: family for family in self.families()}
        for family in original.families:
            if stored := here.get(family.CanonicalName):
                lacking |= self._already(stored, family)
            elif self._family(family):
                lacking |= {version.ID for version in family.ModelVersions}
        for runtime in original.runtimes:
            if runtime.version_id in lacking:
                self._runtime(runtime, bar)
        self._opinions(original)
        return self._brought

    def _already(self, stored: models_pb2.Family, family: ModelFamily) -> set[str]:
        """Return which versions of a family that an import brought before still have nothing to run them."""
        lacking = {version.version_id for version in stored.versions if not version.HasField("runtime")}
        if stored.family != family:
            # What stands under that name is somebody's work, and importing would replace it.
            self._note(family.CanonicalName, "a family of that name is here already, and stays as it is.")
            return set()
        self._note(family.CanonicalName, "it is here already.")
        return lacking

    def _family(self, family: ModelFamily) -> bool:
        try:
            self.import_family(family.SerializeToString(), "warn")
        except errors.ServerRefused as error:
            self._note(family.CanonicalName, str(error))
            return False
        self._brought.families.append(family.CanonicalName)
        return True

    def _runtime(self, runtime: OriginalRuntime, bar: Bar) -> None:
        wanted = models_pb2.Runtime(backend=runtime.backend)
        try:
            for name, path in (("model_file", runtime.model), ("module_file", runtime.module)):
                if path is not None:
                    getattr(wanted, name).CopyFrom(self._sent(path, bar))
            self.set_runtime(runtime.version_id, wanted)
        except (errors.ServerRefused, errors.InvalidModel) as error:
            self._note(runtime.version_id, str(error))

    def _sent(self, path: Path, bar: Bar) -> models_pb2.ModelFile:
        with bar(path.name, path.stat().st_size) as moved:
            file = self.upload(path, moved)
        self._brought.files += 1
        return file

    def _opinions(self, original: Original) -> None:
        feedback = (entry.feedback for entry in self._jobs.feedback("", None))
        for said in _lacking(original.feedback, feedback):
            request = segmentation_pb2.SendFeedbackRequest(feedback=said)
            with self._told():
                self._segmentation.SendFeedback(request, timeout=DEADLINE_S)
            self._brought.feedback += 1
        telemetry = (entry.telemetry for entry in self._jobs.telemetry("", None))
        for told in _lacking(original.telemetry, telemetry):
            message = segmentation_pb2.SendTelemetryRequest(telemetry=told)
            with self._told():
                self._segmentation.SendTelemetry(message, timeout=DEADLINE_S)
            self._brought.telemetry += 1

    def _note(self, name: str, text: str) -> None:
        self._brought.notes.append(f"{name}: {text}")


def _lacking(wanted: Iterable[Said], here: Iterable[Message]) -> Iterator[Said]:
    """Yield those of `wanted` that are not `here`; what was said twice alike counts twice."""
    known = Counter(_key(message) for message in here)
    for message in wanted:
        if known[_key(message)] > 0:
            known[_key(message)] -= 1
        else:
            yield message


def _key(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
