"""Makes a torch model from its files, and calls it in the way it asks for. Imports torch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends import torch_files
from segint_grpc.backends.base import Channel, Masks, ModelSource, Tiles
from segint_grpc.backends.devices import AUTO, CPU, DEVICE, wanted_device
from segint_grpc.backends.layout import contiguous
from segint_grpc.backends.tensor_model import run_tiles
from segint_grpc.backends.torch_device import Place
from segint_grpc.backends.user_module import defined_in, load_module

_INPUT = "input"
_TENSOR_NAMES = (torch.Tensor, "torch.Tensor", "Tensor")


class TorchModel:
    """A loaded model and how it wants to be called."""

    def __init__(
        self,
        model: Callable[..., Any],
        wants: str | None = None,
        device: str = AUTO,
        gpu_memory_bytes: int = 0,
    ) -> None:
        """Call `model` with arrays or tensors: as `wants` says, else as it declares, else with arrays.

        A model that gets arrays makes tensors of them itself, so AUTO leaves it where it is.
        """
        self._model = model
        self._gpu_memory_bytes = gpu_memory_bytes
        forward = model.forward if isinstance(model, torch.nn.Module) else model
        self._parameters = inspect.signature(forward).parameters
        declared = getattr(model, "segint_input", None) or self._annotated()
        self._tensors = (wants or declared) == "tensor"
        self._moved = False
        self._wanted = device
        self._tiles_place: Place | None = None
        self._place = self._at(CPU if device == AUTO and not self._tensors else device)

    def __call__(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return what the model makes of `channels`, each an image_kji of its own to change at will.

        Volumes as sent, and whatever else is int16 or uint8, become int32.
        """
        return self._place.run(lambda: self._called(channels, progress))

    def _called(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        images: list[Any] = [_own(channel.image_kji) for channel in channels]
        if self._tensors:
            images = [torch.from_numpy(image).to(self._place.device) for image in images]
        geometries = [channel.geometry for channel in channels]
        offered = {"geometry": geometries if len(channels) > 1 else geometries[0], "progress": progress}
        wanted = {name: value for name, value in offered.items() if name in self._parameters}
        return cast(Masks, self._model(*images, **wanted))

    def _at(self, device: str) -> Place:
        return Place(device, self._move, self._gpu_memory_bytes)

    def _move(self, device: torch.device) -> None:
        # One that is meant for the processor stays where it may have put itself.
        if isinstance(self._model, torch.nn.Module) and (device.type != CPU or self._moved):
            self._model.to(device)
            self._moved = True

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the model makes of `tiles`; of several results (deep supervision), the first."""
        called = getattr(self._model, "coarse", self._model) if tiles.coarse else self._model
        if self._tiles_place is None:
            # Tiles are tensors, whatever the model would be given for a whole volume.
            self._tiles_place = self._place if self._tensors else self._at(self._wanted)
        return run_tiles(self._tiles_place, called, tiles)

    def _annotated(self) -> str:
        first = next(iter(self._parameters.values()), None)
        return "tensor" if first is not None and first.annotation in _TENSOR_NAMES else ""


def _own(image_kji: NDArray[Any]) -> NDArray[Any]:
    narrow = image_kji.dtype in (np.int16, np.uint8)
    if narrow or image_kji.flags.writeable:
        return contiguous(image_kji.astype(np.int32, order="C") if narrow else image_kji)
    return np.array(image_kji, order="C")


def load(source: ModelSource) -> TorchModel:
    """Return the model of `source`, in evaluation mode, on the device that its parameters ask for.

    A class that has an argument `device` gets it, and puts itself where it will.

    Raises:
        InvalidModel: the files hold no model, or don't fit together.
    """
    module = load_module(source.module_file) if source.module_file else None
    arguments = {name: value for name, value in source.parameters.items() if name != _INPUT}
    loaded = torch_files.read(source.model_file, module) if source.model_file else None
    if loaded is None or isinstance(loaded, Mapping):
        maker = _class(module, source.entry)
        device = CPU if _takes_device(maker) else wanted_device({DEVICE: arguments.pop(DEVICE, AUTO)})
        model = _make(maker, arguments)
        _fill(model, loaded)
    else:
        model, device = _callable(loaded), wanted_device(arguments)
    if isinstance(model, torch.nn.Module):
        model.eval()
    return TorchModel(model, source.parameters.get(_INPUT), device, source.gpu_memory_bytes)


def _takes_device(maker: Any) -> bool:
    return isinstance(maker, type) and DEVICE in inspect.signature(maker).parameters


def _class(module: ModuleType | None, entry: str) -> Any:
    """Return what makes the model: the class or function called `entry`, or the only nn.Module class."""
    if module is None:
        raise errors.InvalidModel("The model file holds weights only: it needs the .py of its class.")
    if entry:
        if not callable(found := getattr(module, entry, None)):
            raise errors.InvalidModel(f"The module defines no {entry}; it has {_list(defined_in(module))}.")
        return found
    found = {name: value for name, value in defined_in(module).items() if issubclass(value, torch.nn.Module)}
    if len(found) != 1:
        raise errors.InvalidModel(
            f"The module defines {len(found)} torch.nn.Module classes ({_list(found)}); "
            "name the model's class as its entry."
        )
    return next(iter(found.values()))


def _make(maker: Any, arguments: Mapping[str, Any]) -> Callable[..., Any]:
    if not isinstance(maker, type):
        return cast(Callable[..., Any], maker)
    try:
        inspect.signature(maker).bind(**arguments)
    except TypeError as error:
        raise errors.InvalidModel(f"{maker.__name__} cannot be made with the parameters: {error}.") from None
    return _callable(maker(**arguments))


def _callable(loaded: Any) -> Callable[..., Any]:
    if isinstance(loaded, type) or not callable(loaded):
        raise errors.InvalidModel(
            f"The model is an object of type {type(loaded).__name__}; expected was a torch.nn.Module "
            "or another object that can be called."
        )
    return cast(Callable[..., Any], loaded)


def _fill(model: Callable[..., Any], weights: Mapping[str, torch.Tensor] | None) -> None:
    if weights is None:
        return
    if not isinstance(model, torch.nn.Module):
        raise errors.InvalidModel("The model file holds weights, but the entry is no torch.nn.Module.")
    try:
        found = model.load_state_dict(torch_files.plain_names(weights), strict=False)
    except RuntimeError as error:
        raise errors.InvalidModel(
            f"The weights don't fit the class: {' '.join(str(error).split())}"
        ) from error
    if found.missing_keys or found.unexpected_keys:
        raise errors.InvalidModel(
            f"The weights don't fit the class {type(model).__name__}: missing are "
            f"{_list(found.missing_keys)}; not known to it are {_list(found.unexpected_keys)}."
        )


def _list(names: Any) -> str:
    listed = list(names)
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return (", ".join(listed[:5]) or "none") + more
