"""SavedModels: what of a folder is looked at, how signatures are called, and whether masks come again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segint_grpc import errors
from segint_grpc.backends import remarks, seeds
from segint_grpc.backends.base import ModelSource, Tiles
from segint_grpc.backends.devices import on_gpu
from segint_grpc.backends.tensorflow import TensorFlow
from segint_grpc.zips.folder import write_folder_zip
from tests.real_models import STRUCTURES, a_channel, a_scan, built

IMAGE_KJI, GEOMETRY = a_scan()
CT, PET = a_channel(IMAGE_KJI, GEOMETRY, "CT"), a_channel(IMAGE_KJI // 3, GEOMETRY, "PET")
VOLUME = (None, None, None, None, 1)


@pytest.fixture(scope="module")
def tf() -> Any:
    from segint_grpc.backends.tensorflow_library import tensorflow

    return tensorflow


def quiet(share: float) -> None:
    """Progress that nobody reads."""


def saved(
    tf: Any,
    path: Path,
    call: Callable[..., Any],
    *specs: tuple[str, Sequence[int | None], str],
    signature: str = "serving_default",
    holds: Any = None,
) -> Path:
    """A SavedModel of `call` as a zip; inputs are name, shape and dtype, `holds` what it needs besides."""
    module = tf.Module()
    module.holds = holds
    signatures = [tf.TensorSpec(shape, dtype, name) for name, shape, dtype in specs]
    module.run = tf.function(call, input_signature=signatures)
    folder = path.with_suffix("")
    tf.saved_model.save(module, str(folder), signatures={signature: module.run})
    write_folder_zip(folder, path)
    return path


def threshold(tf: Any, path: Path, *shape: int | None, dtype: str = "float32") -> Path:
    return saved(tf, path, lambda image: {"mask": image > 100}, ("image", shape or VOLUME, dtype))


def loaded(path: Path, **parameters: Any) -> TensorFlow:
    source = ModelSource("v", STRUCTURES, ("1",), path, parameters=parameters)
    backend = TensorFlow()
    backend.check(source)
    backend.load(source)
    return backend


def predicted(path: Path, *channels: Any, **parameters: Any) -> Any:
    return loaded(path, **parameters).predict(channels or [CT], quiet)


def refused(words: str, path: Path, **parameters: Any) -> None:
    with pytest.raises(errors.InvalidModel) as caught:
        predicted(path, **parameters)
    assert words in caught.value.message, caught.value.message


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        (VOLUME, None),
        ((1, None, None, None, 1), None),
        ((None, 1, None, None, None), "NCDHW"),
        ((None, None, None, None), "NDHW"),
        ((None, None, None), "DHW"),
        (VOLUME, "NWHDC"),
    ],
)
def test_axes_are_laid_out_as_declared_and_the_mask_comes_back_upright(
    tf: Any, tmp_path: Path, shape: Sequence[int | None], axes: str | None
) -> None:
    made = predicted(threshold(tf, tmp_path / "m.zip", *shape), **({"axes": axes} if axes else {}))
    assert np.array_equal(made.reshape(IMAGE_KJI.shape), IMAGE_KJI > 100)
    assert made.shape[-3:] == IMAGE_KJI.shape


def test_the_dtype_is_the_signature_s_own(tf: Any, tmp_path: Path) -> None:
    path = threshold(tf, tmp_path / "m.zip", dtype="int16")
    assert np.array_equal(predicted(path)[0], IMAGE_KJI > 100)
    refused("is of int16; the parameter dtype says uint8", path, dtype="uint8")


def test_channels_are_stacked_or_are_inputs_of_their_own_and_their_order_has_to_be_said(
    tf: Any, tmp_path: Path
) -> None:
    flat = (None, None, None)
    specs = [(name, flat, "float32") for name in ("pet", "ct")]
    two = saved(tf, tmp_path / "two.zip", lambda pet, ct: {"mask": ct > pet}, *specs)
    expected = IMAGE_KJI > IMAGE_KJI // 3
    assert np.array_equal(predicted(two, CT, PET, axes="DHW", inputs=["ct", "pet"]), expected)
    assert np.array_equal(predicted(two, PET, CT, axes="DHW", inputs=["pet", "ct"]), expected)
    refused("inputs have names and no order (ct, pet); list them in the parameter inputs", two)
    with pytest.raises(errors.ModelFailure, match=r"takes 1 inputs \(ct\), and would be given 2"):
        predicted(two, CT, PET, axes="DHW", inputs="ct")
    with pytest.raises(errors.ModelFailure, match=r"input pet gets no channel"):
        predicted(two, CT, axes="DHW", inputs="ct")
    stacked = threshold(tf, tmp_path / "m.zip", None, None, None, None, 2)
    assert np.array_equal(predicted(stacked, CT, PET), np.stack([IMAGE_KJI, IMAGE_KJI // 3]) > 100)


@pytest.mark.parametrize("shape", [(4, 4), (None, 4, 4)])
def test_an_input_called_geometry_gets_the_matrix_from_indices_to_the_patient(
    tf: Any, tmp_path: Path, shape: Sequence[int | None]
) -> None:
    def above(image: Any, geometry: Any) -> Any:
        return {"mask": image > tf.reduce_sum(geometry)}

    specs = [("image", VOLUME, "float64"), ("geometry", shape, "float64")]
    assert np.array_equal(
        predicted(saved(tf, tmp_path / "g.zip", above, *specs))[0], GEOMETRY.affine.sum() < IMAGE_KJI
    )


def test_several_outputs_are_the_structures_by_their_ids_or_in_the_order_that_is_declared(
    tf: Any, tmp_path: Path
) -> None:
    def both(image: Any) -> Any:
        return {"above": image[..., 0] > 100, "below": image[..., 0] < 100}

    path = saved(tf, tmp_path / "two.zip", both, ("image", VOLUME, "float32"))
    refused("outputs have names and no order (above, below); list them in the parameter outputs", path)
    made = predicted(path, outputs=["below", "above"])
    assert np.array_equal(made, [IMAGE_KJI < 100, IMAGE_KJI > 100])
    assert np.array_equal(predicted(path, outputs="above"), IMAGE_KJI > 100)
    refused("no output 'beside'; its outputs are above, below", path, outputs=["beside"])
    refused("no input 'scan'; its inputs are image", path, inputs="scan")

    def by_id(image: Any) -> Any:
        return {"left": image[..., 0] > 100, "bright": image[..., 0] < 100}

    masks = predicted(saved(tf, tmp_path / "ids.zip", by_id, ("image", VOLUME, "float32")))
    assert np.array_equal(masks["left"], IMAGE_KJI > 100)
    assert np.array_equal(masks["bright"], IMAGE_KJI < 100)


def test_another_signature_than_the_default_is_named(tf: Any, tmp_path: Path) -> None:
    specs = ("image", VOLUME, "float32")
    path = saved(tf, tmp_path / "m.zip", lambda image: {"mask": image > 100}, specs, signature="masks")
    assert np.array_equal(predicted(path, signature="masks")[0], IMAGE_KJI > 100)
    refused("no signature 'serving_default'; its signatures are masks", path)
    refused("signature must be a name, not 3", path, signature=3)


def test_a_network_of_slices_takes_tiles_and_refuses_volumes(tf: Any, tmp_path: Path) -> None:
    path = threshold(tf, tmp_path / "slices.zip", None, None, None, 1)
    backend = loaded(path)
    tiles = Tiles(np.random.default_rng(1).normal(0, 300, (3, 1, 5, 6)).astype(np.float32))
    assert np.array_equal(backend.infer(tiles), tiles.values > 100)
    with pytest.raises(
        errors.ModelFailure, match=r"has 4 dimensions.*needs a manifest with \[versions.infer"
    ):
        backend.predict([CT], quiet)


def test_bfloat16_comes_back_as_what_numpy_has(tf: Any, tmp_path: Path) -> None:
    path = saved(
        tf,
        tmp_path / "b.zip",
        lambda image: {"mask": tf.cast(image, "bfloat16")},
        ("image", VOLUME, "float32"),
    )
    assert predicted(path).dtype == np.float32


def test_what_draws_random_numbers_draws_the_same_in_every_job(tf: Any, tmp_path: Path) -> None:
    generator = tf.random.Generator.from_seed(3)

    def noisy(image: Any) -> Any:
        return {
            "mask": image + generator.uniform(tf.shape(image)) + tf.random.uniform(tf.shape(image), seed=7)
        }

    specs = ("image", VOLUME, "float32")
    backend = loaded(saved(tf, tmp_path / "noisy.zip", noisy, specs, holds=generator))
    jobs = []
    with remarks.heard() as said:
        for _ in range(2):
            seeds.sow()
            jobs.append(backend.predict([CT], quiet))
    assert np.array_equal(*jobs)
    assert not np.array_equal(jobs[0][0], IMAGE_KJI.astype(np.float32))
    assert not said.sentences


UNSEEDED = """
import sys
from pathlib import Path
import numpy as np
from segint_grpc.backends import remarks
from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.tensorflow import TensorFlow
from segint_grpc.backends.tensorflow_library import tensorflow as tf
from segint_grpc.zips.folder import write_folder_zip
from tests.real_models import a_channel, a_scan

module = tf.Module()
module.run = tf.function(
    lambda image: {"mask": image + tf.random.uniform(tf.shape(image))},
    input_signature=[tf.TensorSpec([None, None, None, None, 1], tf.float32, "image")],
)
folder = Path(sys.argv[1])
tf.saved_model.save(module, str(folder / "m"), signatures=module.run)
write_folder_zip(folder / "m", folder / "m.zip")
backend = TensorFlow()
backend.load(ModelSource("v", (), ("1",), folder / "m.zip"))
with remarks.heard() as said:
    backend.predict([a_channel(*a_scan())], print)
print(*said.sentences)
assert not {"keras", "matplotlib"} & set(sys.modules)
print("threads:", tf.config.threading.get_intra_op_parallelism_threads())
"""


def test_where_random_numbers_have_no_seed_the_timeline_says_so_and_the_process_keeps_to_itself(
    tmp_path: Path,
) -> None:
    """In a process of its own: determinism, threads and what is imported hold for all of one."""
    command = [sys.executable, "-W", "ignore", "-c", UNSEEDED, str(tmp_path)]
    (tmp_path / "home").mkdir()
    environment = os.environ | {"OMP_NUM_THREADS": "3", "HOME": str(tmp_path / "home")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    words = "does not promise the same masks twice for this model (RandomUniform without a seed)"
    assert words in done.stdout
    assert "threads: 3" in done.stdout
    assert not list((tmp_path / "home").iterdir())


@pytest.mark.parametrize(
    ("name", "mend"),
    [("net.keras", "take the back end keras"), ("net.h5", "take the back end keras"), ("net.tflite", "Lite")],
)
def test_what_another_program_runs_is_refused_with_the_way_out(name: str, mend: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"TFL3")
    refused(mend, tmp_path / name)


def test_a_folder_that_lacks_its_graph_or_its_variables_is_refused(tf: Any, tmp_path: Path) -> None:
    whole = built("tensorflow").model_file.parent / "saved"
    for keep, words in (("variables", "there is no saved_model.pb in it"), ("", "its variables are missing")):
        folder = tmp_path / f"only{keep}"
        for path in whole.rglob("*"):
            if path.is_file() and (path.parent.name == keep or (not keep and path.parent == whole)):
                target = folder / path.relative_to(whole)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        write_folder_zip(folder, tmp_path / f"only{keep}.zip")
        refused(words, tmp_path / f"only{keep}.zip")


def test_a_graph_that_is_broken_is_refused_by_name_and_not_by_the_folder_it_lies_in(
    tf: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    (folder / "variables").mkdir(parents=True)
    (folder / "variables" / "variables.index").write_bytes(b"none")
    (folder / "saved_model.pb").write_bytes(b"\xff" * 50)
    write_folder_zip(folder, tmp_path / "broken.zip")
    with pytest.raises(errors.InvalidModel, match=r"broken\.zip cannot be loaded by TensorFlow") as caught:
        loaded(tmp_path / "broken.zip")
    assert str(tmp_path) not in caught.value.message
    assert "segint-model-" not in caught.value.message


def test_a_full_gpu_is_told_from_other_errors_and_a_full_memory_is_python_s_own(
    tf: Any, tmp_path: Path
) -> None:
    from segint_grpc.backends.tensorflow_device import TensorFlowPlace, is_memory

    full = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor on /GPU:0")
    failures = [full]

    def run() -> str:
        if failures:
            raise failures.pop()
        return "ran"

    with remarks.heard() as said:
        assert on_gpu(run, "/GPU:0", is_memory, lambda: None) == "ran"
    assert said.spent
    assert not is_memory(tf.errors.InvalidArgumentError(None, None, "shapes"))
    failures.append(full)
    with pytest.raises(MemoryError):
        TensorFlowPlace("cpu", lambda: None).run(run)
