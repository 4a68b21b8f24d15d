"""Models on another server: MLServer itself, and a stand-in for Triton that also does what none should."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generated.radiomics import Model_pb2
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import backends, errors
from segint_grpc.backends.base import Channel, ModelSource, Tiles
from segint_grpc.backends.open_inference import OpenInference
from segint_grpc.backends.remarks import heard
from segint_grpc.domain.remotes import HERE_ALONE, Origin, RemoteRules
from segint_grpc.worker.handled_run import HandledRun
from tests.certificates import Certificates
from tests.fakes import mlserver
from tests.fakes.triton import Triton, triton
from tests.real_models import CHANNELS, STRUCTURES, a_channel, a_scan, built

IMAGE_KJI, GEOMETRY = a_scan()
DOCS = Path(__file__).parents[2] / "docs"


def quiet(share: float) -> None:
    """Progress that nobody reads."""


def source(remotes: RemoteRules = HERE_ALONE, **parameters: Any) -> ModelSource:
    return ModelSource("v", STRUCTURES, CHANNELS, parameters=parameters, remotes=remotes)


def loaded(remotes: RemoteRules = HERE_ALONE, **parameters: Any) -> OpenInference:
    backend = OpenInference()
    given = source(remotes, **parameters)
    backend.check(given)
    backend.load(given)
    return backend


def predicted(*channels: Channel, remotes: RemoteRules = HERE_ALONE, **parameters: Any) -> Any:
    backend = loaded(remotes, **parameters)
    return backend.predict(channels or [a_channel(IMAGE_KJI, GEOMETRY)], quiet)


async def asked(server: Triton, model: str = "m", **parameters: Any) -> Any:
    """What the model of that name on `server` gives for the scan, without blocking the server."""
    return await asyncio.to_thread(predicted, **({"url": server.url, "model": model} | parameters))


async def refusal(server: Triton, model: str = "m", **parameters: Any) -> str:
    with pytest.raises((errors.JobFailure, errors.InvalidModel)) as caught:
        await asked(server, model, **parameters)
    assert "\n" not in caught.value.message
    return caught.value.message


def two(**parameters: Any) -> dict[str, Any]:
    return {"url": mlserver.shared().url, "model": "two"} | parameters


def test_the_server_is_told_the_geometry_as_a_matrix_and_in_words() -> None:
    masks = predicted(**two())
    assert np.array_equal(masks, built("open_inference").bare(IMAGE_KJI, GEOMETRY))


def test_the_dtype_is_the_server_s_own() -> None:
    assert np.array_equal(predicted(**two(model="narrow"))[0], IMAGE_KJI > 100)
    with pytest.raises(errors.InvalidModel, match=r"image is of int16; the parameter dtype says float32"):
        loaded(**two(model="narrow", dtype="float32"))


def test_an_unknown_model_is_refused_with_those_that_the_server_has() -> None:
    with pytest.raises(
        errors.InvalidModel, match=r"knows no model 'three' \(status 404\); it has narrow, two"
    ):
        loaded(**two(model="three"))
    with pytest.raises(errors.InvalidModel, match=r"no model 'two' \(version 9\)"):
        loaded(**two(model_version=9))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"inputs": "scan"}, "no input 'scan'; its inputs are image, geometry"),
        ({"outputs": ["masks", "more"]}, "no output 'more'; its outputs are masks"),
        ({"axes": "DHW"}, "image has 5 dimensions, the parameter axes 3"),
        (
            {"inputs": ["image", "geometry"]},
            "has the inputs image, geometry, and would be given all channels as one",
        ),
    ],
)
def test_tensors_that_the_model_does_not_have_are_refused(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.InvalidModel, match=re.escape(words)):
        loaded(**two(**parameters))


def test_channels_that_the_model_does_not_take_are_refused_before_any_scan() -> None:
    given = ModelSource("v", STRUCTURES, ("CT", "PET"), parameters=two())
    with pytest.raises(errors.InvalidModel, match="image takes 1 channels; the version has 2"):
        OpenInference().load(given)


def test_a_path_that_is_no_server_of_the_protocol_is_told_as_one() -> None:
    with pytest.raises(errors.ModelFailure, match=r"does not speak .* v2: GET /away/v2 gave status 404"):
        loaded(**two(url=mlserver.shared().url + "/away/"))


def test_each_run_remarks_where_it_ran_and_by_which_version() -> None:
    backend = loaded(**two())
    with heard() as said:
        backend.predict([a_channel(IMAGE_KJI, GEOMETRY)], quiet)
    (sentence,) = said.sentences
    assert "this time version 3; whether another server gives the same masks twice" in sentence


def test_tiles_and_batches_of_them_go_through_the_server() -> None:
    values = np.random.default_rng(2).normal(0, 500, (1, 1, 4, 5, 6)).astype(np.float32)
    made = loaded(**two()).infer(Tiles(values))
    assert np.array_equal(made[:, :1], values > 100)


@pytest.mark.parametrize("stored_in_lps", [True, False])
def test_a_manifest_s_windows_run_on_the_server(stored_in_lps: bool) -> None:
    handling = ScanHandling(
        input=ScanHandling.Input(orientation="LPS"),
        inference=ScanHandling.Inference(mode="MODE_SLIDING_WINDOW", window=[8, 8, 6], overlap=0.25),
        output=ScanHandling.Output(returns="RETURNS_PROBABILITIES", exclusive=False),
    )
    image_kji, geometry = a_scan(stored_in_lps=stored_in_lps)
    channels = [a_channel(image_kji, geometry)]
    shares: list[float] = []
    structures = [Model_pb2.Structure(StructureID=s.structure_id, InputChannelID="1") for s in STRUCTURES]
    run = HandledRun(loaded(**two()), handling, structures)
    masks = [mask for _, mask in run.masks(run.infer(channels, shares.append), channels)]
    assert np.array_equal(masks[0], image_kji > 100)
    assert not masks[1].any()
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_server_that_has_gone_fails_the_job_and_serves_the_next_once_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "two.py").write_text(mlserver.TWO)
    (tmp_path / "two" / "model-settings.json").write_text(json.dumps(mlserver.described()))
    with mlserver.mlserver(tmp_path) as running:
        backend = loaded(url=running.url, model="two")
        running.stop()
        with pytest.raises(
            errors.ModelFailure, match=r"cannot be reached: Connection refused\. See that it runs"
        ):
            backend.predict([a_channel(IMAGE_KJI, GEOMETRY)], quiet)
        with pytest.raises(errors.ModelFailure, match=re.escape(running.url)):
            loaded(url=running.url, model="two")
    back = mlserver.start(tmp_path, int(running.url.rpartition(":")[2]))
    try:
        assert np.array_equal(predicted(url=running.url, model="two")[0], IMAGE_KJI > 100)
    finally:
        back.stop()


def test_a_host_that_nobody_knows_is_named() -> None:
    rules = RemoteRules(servers=(Origin("http", "nowhere.invalid", 8000),))
    with pytest.raises(errors.ModelFailure, match=r"http://nowhere\.invalid:8000 cannot be reached"):
        loaded(rules, url="http://nowhere.invalid:8000", model="two")


@pytest.mark.parametrize("binary", ["auto", True, False])
@pytest.mark.parametrize("sent", ["FP32", "FP64", "FP16", "INT16", "INT32", "INT64"])
async def test_tensors_travel_as_bytes_where_the_server_can_and_as_json_elsewhere(
    sent: str, binary: Any
) -> None:
    async with triton(input_datatype=sent) as server:
        mask = await asked(server, binary=binary)
        (frame,) = server.requests
    assert np.array_equal(mask[0], IMAGE_KJI > 100)
    assert ("binary_data_size" in frame["inputs"][0].get("parameters", {})) is (binary is not False)
    (told,) = json.loads(frame["parameters"]["geometry"])
    assert told["spacing_xyz_mm"] == list(GEOMETRY.spacing_xyz_mm)
    assert told["origin_xyz_mm"] == list(GEOMETRY.origin_xyz_mm)
    assert told["direction"][2] == list(GEOMETRY.z_axis)


@pytest.mark.parametrize(
    "received", ["BOOL", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "FP16", "FP64"]
)
async def test_masks_come_back_in_every_type_of_number(received: str) -> None:
    async with triton(datatype=received) as server:
        assert np.array_equal((await asked(server))[0], IMAGE_KJI > 100)


async def test_without_the_extension_tensors_are_json() -> None:
    async with triton(extensions=()) as server:
        assert np.array_equal((await asked(server))[0], IMAGE_KJI > 100)
        assert "parameters" not in server.requests[0]["inputs"][0]


async def test_a_connection_is_kept_for_the_next_scan_and_made_anew_where_the_server_ended_it() -> None:
    async with triton() as server:
        backend = await asyncio.to_thread(loaded, url=server.url, model="m")
        channels = [a_channel(IMAGE_KJI, GEOMETRY)]
        for _ in range(3):
            await asyncio.to_thread(backend.predict, channels, quiet)
        assert len(server.connections) == 1
        backend = await asyncio.to_thread(loaded, url=server.url, model="closing")
        for _ in range(3):
            await asyncio.to_thread(backend.predict, channels, quiet)
        assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("unknown", "knows no model 'unknown' (status 400); which it has it does not say"),
        ("loading", "'loading' on http://127.0.0.1"),
        ("flat", "The output mask of the model 'flat'"),
        ("short", "it has 7 bytes for an output of 3366"),
        ("other", "answered without its output mask"),
        ("nonsense", "answered with what is no inference response: it is not JSON as the protocol has it"),
        ("dying", "broke off"),
        ("squeezed", "it is encoded as gzip, which was not asked for"),
    ],
)
async def test_what_a_server_does_wrong_is_the_job_s_reason(model: str, words: str) -> None:
    async with triton() as server:
        assert words in await refusal(server, model)


async def test_what_a_server_says_is_repeated_only_where_it_holds_no_voxels() -> None:
    async with triton() as server:
        assert "did not run (status 500)" in (said := await refusal(server, "words"))
    assert "12.5" not in said


async def test_a_redirect_is_never_followed() -> None:
    async with triton() as other, triton(elsewhere=f"{other.url}/v2/models/m/infer") as server:
        assert "redirects (status 307); that is never followed" in await refusal(server, "redirect")
        assert not other.requests


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with triton() as server:
        assert (await asked(server)).any()


@pytest.mark.parametrize("binary", [True, False])
async def test_an_answer_that_is_larger_than_the_setting_is_not_read(binary: bool) -> None:
    async with triton() as server:
        said = await refusal(server, binary=binary, remotes=RemoteRules(answer_max_bytes=2000))
    assert "larger than 2000 bytes (setting open_inference_answer_max_bytes)" in said


async def test_a_shape_beyond_all_memory_is_refused_before_any_is_taken() -> None:
    async with triton() as server:
        assert "3366 numbers for an output of shape [1000000000" in await refusal(server, "huge")


async def test_as_many_tiles_come_back_as_were_sent() -> None:
    async with triton() as server:
        backend = await asyncio.to_thread(loaded, url=server.url, model="first")
        with pytest.raises(errors.WrongOutput, match="was sent 3 tiles and gave 1"):
            await asyncio.to_thread(backend.infer, Tiles(np.zeros((3, 1, 4, 5, 6), np.float32)))


def rules_with(folder: Path, server: Triton, token: str, mode: int = 0o600) -> RemoteRules:
    path = folder / f"127.0.0.1_{server.url.rpartition(':')[2]}.token"
    path.write_text(token + "\n")
    path.chmod(mode)
    return RemoteRules(tokens=folder)


async def test_a_token_comes_from_the_server_s_file_and_from_nowhere_else(tmp_path: Path) -> None:
    async with triton(token="s3cret") as server:
        name = f"127.0.0.1_{server.url.rpartition(':')[2]}.token"
        said = await refusal(server, remotes=RemoteRules(tokens=tmp_path))
        assert f"refused a request without a token (status 401); put its token into {tmp_path / name}" in said
        said = await refusal(server, remotes=rules_with(tmp_path, server, "wr0ng"))
        assert "refused the token that it was shown" in said
        assert "wr0ng" not in said
        mask = await asked(server, remotes=rules_with(tmp_path, server, "s3cret"))
        assert np.array_equal(mask[0], IMAGE_KJI > 100)


@pytest.mark.parametrize(("token", "mode"), [("s3cret", 0o644), ("two words", 0o600), ("", 0o600)])
async def test_a_token_file_that_others_read_or_that_is_none_is_refused(
    tmp_path: Path, token: str, mode: int
) -> None:
    async with triton() as server:
        said = await refusal(server, remotes=rules_with(tmp_path, server, token, mode))
    assert "The token file" in said
    assert not token or token not in said


async def test_a_server_with_a_certificate_of_one_s_own_authority_is_believed_by_the_setting(
    tmp_path: Path,
) -> None:
    certificates = Certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    async with triton(context) as server:
        said = await refusal(server)
        assert "shows a certificate that is not trusted" in said
        assert "open_inference_ca" in said
        mask = await asked(server, remotes=RemoteRules(authority=certificates.authority))
        assert np.array_equal(mask[0], IMAGE_KJI > 100)


async def test_a_server_that_describes_no_tensors_is_told_them_by_parameters() -> None:
    async with triton(describes=False) as server:
        said = await refusal(server)
        assert (
            "does not say which inputs its model has; set the parameters inputs, outputs, axes and dtype"
            in said
        )
        facts = {"inputs": "image", "outputs": "mask", "axes": "NCDHW", "dtype": "float32"}
        assert np.array_equal((await asked(server, **facts))[0], IMAGE_KJI > 100)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((-1, -1, -1), None), ((1, -1, -1, -1), None), ((1, -1, -1, -1, 1), "NDHWC"), ((-1, -1, -1), "WHD")],
)
async def test_axes_are_laid_out_as_declared_and_the_mask_comes_back_upright(
    shape: tuple[int, ...], axes: str | None
) -> None:
    async with triton(shape=shape) as server:
        made = await asked(server, **({"axes": axes} if axes else {}))
    assert np.array_equal(made.reshape(IMAGE_KJI.shape), IMAGE_KJI > 100)


async def test_outputs_that_are_called_as_the_structures_are_theirs_whatever_their_order() -> None:
    async with triton(shape=(-1, -1, -1)) as server:
        made = await asked(server, "pair")
    assert np.array_equal(made["left"], IMAGE_KJI > 100)
    assert np.array_equal(made["bright"], IMAGE_KJI <= 100)


async def test_tiles_of_a_network_whose_channels_come_last_are_sent_so() -> None:
    values = np.random.default_rng(1).normal(0, 300, (2, 1, 4, 5, 6)).astype(np.float32)
    async with triton(shape=(-1, -1, -1, -1, 1)) as server:
        backend = await asyncio.to_thread(loaded, url=server.url, model="m", axes="NDHWC")
        made = await asyncio.to_thread(backend.infer, Tiles(values))
        assert server.requests[-1]["inputs"][0]["shape"] == [2, 4, 5, 6, 1]
    assert np.array_equal(made, values > 100)


async def test_values_that_the_server_s_type_cannot_hold_are_an_error_and_do_not_wrap_around() -> None:
    async with triton(input_datatype="UINT8") as server:
        assert "which the dtype uint8 that the model wants cannot hold" in await refusal(server)


def test_a_model_file_has_no_use(tmp_path: Path) -> None:
    given = ModelSource("v", STRUCTURES, CHANNELS, tmp_path / "net.onnx", parameters=two())
    with pytest.raises(errors.InvalidModel, match=r"takes no model file.*net\.onnx"):
        backends.load_backend("open_inference").check(given)


def test_the_page_s_model_runs_on_a_real_server_as_its_command_says(tmp_path: Path) -> None:
    section = (DOCS / "remote-models.md").read_text()
    (module,) = re.findall(r"^```python\n(.*?)^```", section, re.M | re.S)
    (facts,) = re.findall(r"^```json\n(.*?)^```", section, re.M | re.S)
    (tmp_path / "two.py").write_text(module)
    (tmp_path / "model-settings.json").write_text(facts)
    command = re.search(r"^segint model set .*$", section, re.M)
    assert command is not None
    assert "--backend open_inference" in command[0]
    given = dict(re.findall(r"--parameter (\w+)=(\S+)", command[0]))
    with mlserver.mlserver(tmp_path) as running:
        assert given.pop("url") == "http://127.0.0.1:8080"
        masks = predicted(url=running.url, **given)
    assert np.array_equal(masks, [IMAGE_KJI > 100, IMAGE_KJI < -500])
