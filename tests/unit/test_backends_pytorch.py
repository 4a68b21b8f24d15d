"""The PyTorch back end: every form of model file, every way to be called, every reason to refuse."""

from __future__ import annotations

import sys
import textwrap
import token
import zipfile
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends import torch_files
from segint_grpc.backends.base import Channel, ModelSource
from segint_grpc.backends.pytorch import PyTorch
from segint_grpc.backends.user_module import load_module
from tests.fakes.worker_bench import geometry

SHAPE = (3, 5, 4)
IMAGE_KJI: NDArray[np.int16] = np.random.default_rng(5).integers(-100, 100, SHAPE, dtype=np.int16)
NET = """
    import numpy as np
    import torch

    class Net(torch.nn.Module):
        def __init__(self, limit=0):
            super().__init__()
            self.register_buffer("limit", torch.tensor(limit))
            self.drop = torch.nn.Dropout()

        def forward(self, image):
            assert not self.training
            assert torch.is_inference_mode_enabled()
            return image > int(self.limit)
"""
WEIGHTS = {"limit": torch.tensor(33)}


def channel(image_kji: NDArray[Any] = IMAGE_KJI, name: str = "1") -> Channel:
    image_kji = image_kji.copy()
    image_kji.setflags(write=False)
    return Channel(name, image_kji, geometry())


def module(folder: Path, source: str = NET, name: str = "net.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(source))
    return path


def predict(
    model_file: Path | None, module_file: Path | None, *channels: Channel, entry: str = "", **parameters: Any
) -> Any:
    source = ModelSource("v", (), ("1",), model_file, module_file, entry, parameters)
    backend = PyTorch()
    backend.check(source)
    backend.load(source)
    return backend.predict(channels or (channel(),), lambda share: None)


def pickled(folder: Path, name: str, **options: Any) -> Path:
    """Pickle a Net(33) whose class is in a module called `name`, which is gone when this returns."""
    path = folder / "model.pt"
    made_in = ModuleType(name)
    made_in.__file__ = str(module(folder))
    with pytest.MonkeyPatch.context() as patch:
        for dot in [at for at, letter in enumerate(name) if letter == "."]:
            patch.setitem(sys.modules, name[:dot], sys.modules.get(name[:dot], ModuleType(name[:dot])))
        patch.setitem(sys.modules, name, made_in)
        exec(compile(textwrap.dedent(NET), made_in.__file__, "exec"), vars(made_in))
        torch.save(made_in.Net(33), path, **options)
    return path


def test_a_state_dict_fills_the_only_class(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "w.pt")
    assert np.array_equal(predict(tmp_path / "w.pt", module(tmp_path)), IMAGE_KJI > 33)


@pytest.mark.parametrize(
    "saved",
    [
        OrderedDict(WEIGHTS),
        {"state_dict": WEIGHTS, "epoch": 7, "lr": 0.1},
        {"model_state_dict": WEIGHTS, "optimizer": {"state": {}}},
        {"module.limit": torch.tensor(33)},
        {"state_dict": WEIGHTS, "written_by": Path("/home/somebody")},
    ],
)
def test_a_state_dict_is_found_where_training_loops_put_it(tmp_path: Path, saved: Any) -> None:
    torch.save(saved, tmp_path / "w.pt")
    assert np.array_equal(predict(tmp_path / "w.pt", module(tmp_path)), IMAGE_KJI > 33)


def test_a_state_dict_in_the_old_format_is_read(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    assert np.array_equal(predict(tmp_path / "w.pt", module(tmp_path)), IMAGE_KJI > 33)


def test_safetensors_fill_the_class_named_as_entry(tmp_path: Path) -> None:
    safetensors.torch.save_file(WEIGHTS, tmp_path / "w.safetensors")
    path = module(tmp_path, NET + "\n    class Other(torch.nn.Module):\n        pass\n")
    assert np.array_equal(predict(tmp_path / "w.safetensors", path, entry="Net"), IMAGE_KJI > 33)


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}])
@pytest.mark.parametrize("name", ["net", "__main__", "research.deep.net", "research.deep.unet", "numpy.net"])
def test_a_pickled_module_finds_its_class_in_the_module_file(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    model, before = pickled(tmp_path, name, **options), set(sys.modules)
    assert np.array_equal(predict(model, module(tmp_path)), IMAGE_KJI > 33)
    assert all(new.startswith("segint_model_") for new in set(sys.modules) - before if "net" in new)


def test_a_users_file_named_like_an_installed_module_hides_it_from_nobody(tmp_path: Path) -> None:
    path = module(tmp_path, name="token.py")
    model = pickled(tmp_path, "token")
    assert np.array_equal(predict(model, path), IMAGE_KJI > 33)
    assert token.NAME


def test_a_users_class_named_like_one_of_torchs_does_not_take_its_place(tmp_path: Path) -> None:
    mine = load_module(module(tmp_path, NET.replace("class Net", "class Linear"), "linear.py"))
    torch.save(torch.nn.Sequential(torch.nn.Linear(4, 4)), tmp_path / "model.pt")
    assert type(torch_files.read(tmp_path / "model.pt", mine)[0]) is torch.nn.Linear


def test_a_pickle_whose_class_is_nowhere_says_which(tmp_path: Path) -> None:
    model = pickled(tmp_path, "net")
    other = module(tmp_path, "import torch\nclass Wrong(torch.nn.Module): pass\n", "other.py")
    for path in (None, other):
        with pytest.raises(errors.InvalidModel, match=r"pickled with Net of the module net, .*neither"):
            predict(model, path)


def test_a_module_may_do_without_weights(tmp_path: Path) -> None:
    assert np.array_equal(predict(None, module(tmp_path)), IMAGE_KJI > 0)


def test_parameters_are_the_arguments_of_the_class(tmp_path: Path) -> None:
    assert np.array_equal(predict(None, module(tmp_path), limit=12), IMAGE_KJI > 12)
    with pytest.raises(errors.InvalidModel, match=r"Net cannot be made with the parameters: .*colour"):
        predict(None, module(tmp_path), colour="red")


def test_a_plain_function_or_class_can_be_the_entry(tmp_path: Path) -> None:
    source = """
        def above(image):
            return image > 5

        class Plain:
            def __call__(self, image):
                return image > 6
    """
    path = module(tmp_path, source)
    assert np.array_equal(predict(None, path, entry="above"), IMAGE_KJI > 5)
    assert np.array_equal(predict(None, path, entry="Plain"), IMAGE_KJI > 6)


def model_that(body: str, signature: str = "image") -> str:
    lines = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    head = f"class Net(torch.nn.Module):\n    def forward(self, {signature}):\n"
    return f"import numpy as np\nimport torch\n\n{head}{lines}\n"


@pytest.mark.parametrize("image_kji", [IMAGE_KJI, IMAGE_KJI.astype(np.uint8)])
def test_a_model_gets_a_writable_int32_array_of_its_own(tmp_path: Path, image_kji: NDArray[Any]) -> None:
    body = """
        assert type(image) is np.ndarray and image.dtype == np.int32 and image.shape == (3, 5, 4)
        image += 1
        return image > 1
    """
    given = channel(image_kji)
    assert np.array_equal(predict(None, module(tmp_path, model_that(body)), given), image_kji > 0)
    assert np.array_equal(given.image_kji, image_kji)


IS_TENSOR = "assert isinstance(image, torch.Tensor) and image.dtype == torch.int32; return image > 0"


@pytest.mark.parametrize(
    ("source", "parameters"),
    [
        (model_that(IS_TENSOR, "image: torch.Tensor"), {}),
        ("from __future__ import annotations\n" + model_that(IS_TENSOR, "image: torch.Tensor"), {}),
        (model_that(IS_TENSOR).replace("    def", "    segint_input = 'tensor'\n    def", 1), {}),
        (model_that(IS_TENSOR), {"input": "tensor"}),
    ],
)
def test_a_module_that_wants_tensors_gets_them(
    tmp_path: Path, source: str, parameters: dict[str, Any]
) -> None:
    made = predict(None, module(tmp_path, source), **parameters)
    assert np.array_equal(made.numpy(), IMAGE_KJI > 0)


def test_the_parameter_wins_over_what_the_module_declares(tmp_path: Path) -> None:
    source = model_that("return type(image) is np.ndarray", "image: torch.Tensor")
    assert predict(None, module(tmp_path, source), input="array") is True


def test_geometry_and_progress_go_to_a_model_that_has_the_parameters(tmp_path: Path) -> None:
    body = "progress(0.5)\nreturn geometry"
    path = module(tmp_path, model_that(body, "image, *, geometry, progress=None"))
    shares: list[float] = []
    backend = PyTorch()
    backend.load(ModelSource("v", (), ("1",), None, path))
    assert backend.predict([channel()], shares.append) == geometry()
    assert shares == [0.5]


def test_several_channels_are_several_arrays_and_a_list_of_geometries(tmp_path: Path) -> None:
    path = module(tmp_path, model_that("return ct.shape, pet.shape, len(geometry)", "ct, pet, geometry"))
    made = predict(None, path, channel(), channel(IMAGE_KJI[:2], "2"))
    assert made == ((3, 5, 4), (2, 5, 4), 2)


def refused(words: str, model_file: Path | None, module_file: Path | None, **facts: Any) -> None:
    with pytest.raises(errors.InvalidModel) as caught:
        predict(model_file, module_file, **facts)
    assert words in caught.value.message, caught.value.message


def test_files_that_make_no_model_are_refused_with_the_reason(tmp_path: Path) -> None:
    net = module(tmp_path)
    torch.save(WEIGHTS, tmp_path / "w.pt")
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    torch.save({"weight": torch.zeros(1), "odd": torch.zeros(1)}, tmp_path / "other.pt")
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    (tmp_path / "noise.pt").write_bytes(b"this is no model at all")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "w.pt").read_bytes()[:200])
    (tmp_path / "nothing.pt").write_bytes(b"")
    (tmp_path / "noise.safetensors").write_bytes(b"\xff" * 40)
    refused("a model file, a module file (.py) or both", None, None)
    refused("w2.pt is missing", tmp_path / "w2.pt", net)
    refused("weights only: it needs the .py", tmp_path / "w.pt", None)
    refused("a mapping with epoch, but no weights", tmp_path / "empty.pt", net)
    refused("missing are limit; not known to it are weight, odd", tmp_path / "other.pt", net)
    torch.save({"limit": torch.zeros(2)}, tmp_path / "size.pt")
    refused("size mismatch for limit", tmp_path / "size.pt", net)
    refused("an object of type Tensor", tmp_path / "tensor.pt", net)
    for name in ("noise.pt", "cut.pt", "nothing.pt", "noise.safetensors"):
        refused(f"{name} cannot be read as a PyTorch model file", tmp_path / name, net)


def test_modules_that_make_no_model_are_refused_with_the_reason(tmp_path: Path) -> None:
    two = module(tmp_path, model_that("return image") + "\nclass Two(torch.nn.Module):\n    pass\n", "two.py")
    refused("2 torch.nn.Module classes (Net, Two); name the model's class", None, two)
    refused("defines no Unet; it has Net, Two", None, two, entry="Unet")
    borrowed = module(tmp_path, "from torch.nn import Linear\n", "no.py")
    refused("0 torch.nn.Module classes (none)", None, borrowed)
    refused("broken.py is no Python in line 1", None, module(tmp_path, "class Net(:\n", "broken.py"))
    refused("cannot be imported: ZeroDivisionError in line 2", None, module(tmp_path, "\n1/0\n", "zero.py"))
    refused("input must be array or tensor, not 'image'", None, two, input="image")


def test_torchscript_is_refused_with_advice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("script/constants.pkl", b"")
        archive.writestr("script/data.pkl", b"")
    refused("save the model's state dict instead", tmp_path / "script.pt", None)


def test_a_missing_library_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    refused('pip install "segint[pytorch]"', None, module(tmp_path))
