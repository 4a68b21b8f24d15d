"""Gives what an original research server held to the server of a home."""

from __future__ import annotations

from generated.segint.v1 import models_pb2, segmentation_pb2
from generated.segint.v1.segmentation_pb2_grpc import SegmentationStub
from segint_grpc import errors
from segint_grpc.client.administration import Administration
from segint_grpc.client.connection import DEADLINE_S
from segint_grpc.client.original import Original, OriginalRuntime
from segint_grpc.home import Home


class OriginalImport(Administration):
    """A connection to the server of one home that takes an original server over."""

    def __init__(self, home: Home) -> None:
        """Prepare to talk to the server of `home`."""
        super().__init__(home)
        self._segmentation = SegmentationStub(self._channel)

    def bring(self, original: Original) -> list[str]:
        """Import `original`; return what could not come, a sentence each."""
        refused, came = [], set[str]()
        here = {family.family.CanonicalName for family in self.families()}
        for family in original.families:
            if family.CanonicalName in here:
                # What stands under that name is somebody's work, and importing would replace it.
                refused.append(f"{family.CanonicalName}: a family of that name is here already.")
            elif note := self._family(family.SerializeToString()):
                refused.append(f"{family.CanonicalName}: {note}")
            else:
                came |= {version.ID for version in family.ModelVersions}
        wanted = (runtime for runtime in original.runtimes if runtime.version_id in came)
        refused += [note for runtime in wanted if (note := self._runtime(runtime))]
        self._opinions(original)
        return refused

    def _family(self, body: bytes) -> str:
        try:
            self.import_family(body, "warn")
        except errors.ServerRefused as error:
            return str(error)
        return ""

    def _runtime(self, runtime: OriginalRuntime) -> str:
        wanted = models_pb2.Runtime(backend=runtime.backend)
        try:
            for name, path in (("model_file", runtime.model), ("module_file", runtime.module)):
                if path is not None:
                    getattr(wanted, name).CopyFrom(self.upload(path))
            self.set_runtime(runtime.version_id, wanted)
        except (errors.ServerRefused, errors.InvalidModel) as error:
            return f"{runtime.version_id}: {error}"
        return ""

    def _opinions(self, original: Original) -> None:
        with self._told():
            for feedback in original.feedback:
                said = segmentation_pb2.SendFeedbackRequest(feedback=feedback)
                self._segmentation.SendFeedback(said, timeout=DEADLINE_S)
            for telemetry in original.telemetry:
                told = segmentation_pb2.SendTelemetryRequest(telemetry=telemetry)
                self._segmentation.SendTelemetry(told, timeout=DEADLINE_S)
