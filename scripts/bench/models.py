"""The benchmark's models, brought to the server as a group would bring its own."""

from __future__ import annotations

from pathlib import Path

from generated.radiomics import Model_pb2
from generated.segint.v1 import models_pb2
from scripts.bench import int16_backend, onnx_backend
from scripts.bench.journal import Call, last_call
from scripts.bench.server import SAMPLE, Server
from segint_grpc.client.administration import Administration

PHANTOM = SAMPLE
THRESHOLD_INT32 = "Bench threshold int32"
THRESHOLD_INT16 = "Bench threshold int16"
ONNX = "Bench ONNX 2 structures"
NETS = Path(__file__).with_name("nets.py")


def structures_model(count: int) -> str:
    """Return the id of the model with `count` structures."""
    return f"Bench {count} structures"


def journal_of(server: Server, model: str) -> Path:
    """Return where `model` notes its calls."""
    return server.folder / f"{model}.journal"


def call_of(server: Server, model: str) -> Call:
    """Return the last call of `model`."""
    return last_call(journal_of(server, model))


def install(server: Server, model: str) -> None:
    """Bring `model` to the server, unless it has it."""
    if model in server.models:
        return
    count = int(model.split()[-2]) if model.endswith("structures") else 1
    parameters: dict[str, str | int] = {"journal": str(journal_of(server, model))}
    with Administration(server.home) as administration:
        administration.import_family(_family(model, count).SerializeToString(), "off")
        if model == THRESHOLD_INT16:
            runtime = models_pb2.Runtime(backend=int16_backend.NAME)
        elif model == ONNX:
            runtime = models_pb2.Runtime(backend=onnx_backend.NAME)
            runtime.model_file.CopyFrom(administration.upload(onnx_backend.MODEL))
            parameters["axes"] = "NCDHW"
        elif model == THRESHOLD_INT32:
            runtime = models_pb2.Runtime(backend="pytorch", entry="Threshold")
        else:
            runtime = models_pb2.Runtime(backend="pytorch", entry="Structures")
            parameters["count"] = count
        if runtime.entry:
            runtime.module_file.CopyFrom(administration.upload(NETS))
        runtime.parameters.update(parameters)
        administration.set_runtime(model, runtime)
        if runtime.module_file.sha256:
            administration.approve(runtime.module_file.sha256)
        administration.activate(model, force=True, reason="for the benchmark")
    server.models.add(model)


def _family(name: str, structures: int) -> Model_pb2.ModelFamily:
    version = Model_pb2.ModelVersion(ID=name, MajorVersion=1, LanguageCode="en")
    for n in range(1, structures + 1):
        version.Structures.add(
            StructureID=str(n),
            Name=f"structure {n}",
            Color=Model_pb2.ColorRGB(R=255, G=(n * 40) % 256, B=0),
            Type=Model_pb2.Structure.StructureType.Organ,
            InputChannelID="1",
        )
    family = Model_pb2.ModelFamily(CanonicalName=f"{name} family", LanguageCode="en")
    family.ModelVersions.append(version)
    family.FamilyDescription.Name = name
    family.FamilyDescription.InputChannels.add(ChannelID="1")
    return family
