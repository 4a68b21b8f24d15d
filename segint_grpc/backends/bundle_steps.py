"""Runs a MONAI bundle as MONAI's SupervisedEvaluator does, but for files. Imports MONAI."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.data import MetaTensor, decollate_batch, list_data_collate
from monai.inferers import SimpleInferer, SlidingWindowInferer
from monai.transforms import Compose, Identity, Invertd, LoadImaged, SaveImaged
from monai.utils import ensure_tuple_rep, fall_back_tuple

from segint_grpc import errors
from segint_grpc.backends.bundle_config import BundleConfig

IMAGE, PRED = "image", "pred"


class BundleSteps:
    """A bundle's transforms and inferer."""

    def __init__(self, config: BundleConfig) -> None:
        """Make them of `config`; a bundle without one of them does without."""
        self.before = _compose(config.first("preprocessing", "dataset::transform"))
        self.after = _compose(config.first("postprocessing", "evaluator::postprocessing"))
        self._inferer = config.first("inferer", "evaluator::inferer", default=SimpleInferer())
        self._prepare_batch = config.first("evaluator::prepare_batch")
        self._amp = bool(config.first("evaluator::amp", default=False))
        self._inverts = any(isinstance(step, Invertd) for step in self.after.flatten().transforms)

    def run(
        self,
        scans: Mapping[str, MetaTensor],
        network: Callable[..., Any],
        device: torch.device,
        progress: Callable[[float], None],
    ) -> torch.Tensor:
        """Return what the bundle makes of `scans`: (channel, i, j, k), back on their grid."""
        batch = list_data_collate([self.before(dict(scans))])
        inputs, arguments = self._inputs(batch, next(iter(scans)), device)
        counted = _counted(network, _calls(self._inferer, inputs.shape[2:]), progress)
        with torch.autocast("cuda", enabled=self._amp and device.type == "cuda"):
            found = self._inferer(inputs, counted, *arguments)
        (item,) = decollate_batch({**batch, IMAGE: inputs, PRED: found})
        made = self.after(item)
        if PRED not in made:
            raise errors.WrongOutput(f"The bundle's postprocessing leaves no {PRED!r}.")
        made[IMAGE] = item[IMAGE]
        return self._inverted(made)

    def _inputs(self, batch: Any, key: str, device: torch.device) -> tuple[torch.Tensor, Sequence[Any]]:
        """Return what the network gets, and further arguments of it."""
        if self._prepare_batch is None:
            return batch[IMAGE if IMAGE in batch else key].to(device), ()
        inputs, _, *more = self._prepare_batch(batch, device, False)
        return inputs, more[0] if more else ()

    def _inverted(self, made: dict[str, Any]) -> torch.Tensor:
        """Return the masks on the scan's grid: what a bundle does not take back itself is taken back here."""
        image = made[IMAGE]
        if self._inverts or not getattr(image, "applied_operations", None):
            return _tensor(made[PRED])
        if tuple(made[PRED].shape[-3:]) != tuple(image.shape[-3:]):
            raise errors.WrongOutput(
                "The bundle's postprocessing has no Invertd and changes the grid itself, so that nobody "
                "knows where its masks lie."
            )
        back = Invertd(keys=PRED, transform=self.before, orig_keys=IMAGE, nearest_interp=True)
        return _tensor(back({PRED: made[PRED], IMAGE: image})[PRED])


def _tensor(made: Any) -> torch.Tensor:
    if isinstance(made, torch.Tensor) and made.ndim == 4:
        return made
    shape = tuple(getattr(made, "shape", ()))
    raise errors.WrongOutput(
        f"The bundle returned {type(made).__name__} of shape {shape}; expected was (channel, i, j, k)."
    )


def _compose(steps: Any) -> Compose:
    """Return `steps` as one transform, without those that read or write files."""
    listed = steps.flatten().transforms if isinstance(steps, Compose) else steps or ()
    listed = listed if isinstance(listed, list | tuple) else [listed]
    return Compose([Identity() if isinstance(step, LoadImaged | SaveImaged) else step for step in listed])


def _counted(
    network: Callable[..., Any], calls: int, progress: Callable[[float], None]
) -> Callable[..., Any]:
    """Return `network`, telling after each of its `calls` which share of them is done."""
    done = 0

    def called(*values: Any, **more: Any) -> Any:
        nonlocal done
        made = network(*values, **more)
        done += 1
        progress(min(1.0, done / calls))
        return made

    return called


def _calls(inferer: Any, shape: Sequence[int]) -> int:
    """Return how often `inferer` will call the network for an image of `shape`."""
    if not isinstance(inferer, SlidingWindowInferer):
        return 1
    window = fall_back_tuple(inferer.roi_size, shape)
    overlaps = ensure_tuple_rep(inferer.overlap, len(shape))
    windows = math.prod(map(_along, shape, window, overlaps))
    return math.ceil(windows / int(inferer.sw_batch_size))


def _along(length: int, window: int, overlap: float) -> int:
    """Return how many windows lie along an axis, where each begins (1 - overlap) windows after the other."""
    step = max(1, int(window * (1 - overlap)))
    return 1 + math.ceil(max(0, length - window) / step)
