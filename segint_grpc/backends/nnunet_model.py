"""Loads an nnU-Net and has nnunetv2 segment a scan. Imports torch and nnunetv2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from nnunetv2.inference import predict_from_raw_data
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import Channel, Masks, ModelSource
from segint_grpc.backends.devices import CPU
from segint_grpc.backends.model_folder import unpacked
from segint_grpc.backends.nnunet_folder import NnunetModel, cascade
from segint_grpc.backends.nnunet_labels import channel_order, masks_of, wanted_labels
from segint_grpc.backends.nnunet_options import Options, wanted_options
from segint_grpc.backends.nnunet_scan import NnunetScan, nnunet_scan, unsaid, wanted_orientation
from segint_grpc.backends.nnunet_tiles import Producer, TellingPredictor
from segint_grpc.backends.remarks import remark
from segint_grpc.backends.torch_device import Place

# Where the thread that hands tiles over fails, nnU-Net would wait for it for ever.
predict_from_raw_data.Thread = Producer


class LoadedNnunet:
    """A loaded model: its folds' weights, and one network that takes them in turn."""

    def __init__(self, source: ModelSource, model: NnunetModel) -> None:
        """Load `model`, which is what the file of `source` says; raises InvalidModel where it cannot be."""
        options = wanted_options(source.parameters)
        self._labels = wanted_labels(source, model.labels)
        self._channel_names = model.channel_names
        self._letters = wanted_orientation(model, options)
        self._nifti = model.nifti
        self._remarks = (*model.remarks, *unsaid(model, options))
        self._predictor = _initialised(source, model, options)
        self._place = Place(options.device, self._move, source.gpu_memory_bytes)

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return StructureID → mask_kji."""
        for sentence in self._remarks:
            remark(sentence)
        # A manifest may have put them into another order than the family's.
        order = channel_order([channel.channel_id for channel in channels], self._channel_names)
        scan = nnunet_scan([channels[number] for number in order], self._letters, nifti=self._nifti)
        self._predictor.tell(progress)
        made = self._place.run(lambda: self._segmented(scan))
        progress(1.0)
        return masks_of(np.ascontiguousarray(scan.laid_back(made)), self._labels)

    def _segmented(self, scan: NnunetScan) -> NDArray[np.integer]:
        # nnU-Net adds to what it is told of the scan.
        made: NDArray[np.integer] = self._predictor.predict_single_npy_array(
            scan.values, {"spacing": list(scan.spacing_kji_mm)}
        )
        return made

    def _move(self, device: torch.device) -> None:
        self._predictor.device = device
        self._predictor.perform_everything_on_device = device.type != CPU
        self._predictor.network.to(device)


def _initialised(source: ModelSource, model: NnunetModel, options: Options) -> TellingPredictor:
    assert source.model_file is not None, "check comes before load"
    predictor = TellingPredictor(
        tile_step_size=options.tile_step_size,
        use_mirroring=options.mirroring,
        device=torch.device(CPU),
        allow_tqdm=False,
    )
    folder = unpacked(source) / model.folder
    folds = tuple(fold if fold == "all" else int(fold) for fold in model.folds)
    try:
        predictor.initialize_from_trained_model_folder(str(folder), folds, model.checkpoint)
    except OSError:
        raise
    except Exception as error:
        # Whatever a pickle, a trainer's class or an architecture raises.
        why = " ".join(str(error).split())
        raise errors.InvalidModel(
            f"{source.model_file.name} cannot be loaded by nnU-Net ({type(error).__name__}: {why:.300})."
        ) from error
    _check_configuration(source.model_file, model, predictor)
    predictor.begin()
    return predictor


def _check_configuration(path: Path, model: NnunetModel, predictor: TellingPredictor) -> None:
    """Raise InvalidModel where the checkpoint, which alone may tell, is another one's or a cascade's."""
    found, plans = predictor.configuration_manager, predictor.plans_manager
    wanted = plans.get_configuration(model.configuration) if model.configuration else found
    if wanted.configuration != found.configuration:
        raise errors.InvalidModel(f"{path.name}: {model.checkpoint} is not of {model.configuration}.")
    if previous := found.previous_stage_name:
        raise cascade(path, model.configuration, previous)
