"""Writes what a segmentation gave: a NIfTI file for each mask and a picture for each scan."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from segint_grpc import errors
from segint_grpc.client.masks import Mask, file_names
from segint_grpc.client.nifti_masks import write_mask
from segint_grpc.client.overlay import draw_overlay
from segint_grpc.client.scan import Scan

OVERLAY_NAME = "overlay"


@dataclass(frozen=True)
class Written:
    """The files of one segmentation: masks in the result's order, then pictures."""

    masks: tuple[tuple[Mask, Path], ...]
    overlays: tuple[Path, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file."""
        return (*(path for _, path in self.masks), *self.overlays)


@contextmanager
def prepared_folder(folder: Path) -> Iterator[Path]:
    """Make `folder` where it is missing and give its absolute path.

    Where the body fails, a folder that was made for it goes again unless it holds something by then.

    Raises:
        Unwritable: it cannot be made or written.
    """
    missing = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.Unwritable(f"The folder {folder} cannot be made: {error.strerror}.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise errors.Unwritable(f"The folder {folder} cannot be written.")
    try:
        yield folder.absolute()
    except BaseException:
        if missing:
            with suppress(OSError):
                folder.rmdir()
        raise


def write_outcome(folder: Path, masks: Sequence[Mask], scans: Mapping[str, Scan], title: str) -> Written:
    """Write the masks and overlays into `folder`.

    Args:
        folder: where to write, as `prepared_folder` gave it; files of the same names are replaced.
        masks: the masks.
        scans: the scans by ChannelID; with several, they are numbered: overlay_1.png, overlay_2.png.
        title: the pictures' headline.

    Raises:
        Unwritable: the folder cannot be written.
    """
    try:
        paths = [folder / name for name in file_names(masks, ".nii.gz")]
        for mask, path in zip(masks, paths, strict=True):
            write_mask(path, mask.mask_kji, mask.scan.frame)
        return Written(tuple(zip(masks, paths, strict=True)), _draw(folder, masks, scans, title))
    except OSError as error:
        raise errors.Unwritable(f"{folder} cannot be written: {error.strerror or error}.") from None


def _draw(folder: Path, masks: Sequence[Mask], scans: Mapping[str, Scan], title: str) -> tuple[Path, ...]:
    paths = []
    for number, (channel_id, scan) in enumerate(scans.items(), start=1):
        own = [mask for mask in masks if mask.scan is scan]
        several = len(scans) > 1
        path = folder / (f"{OVERLAY_NAME}_{number}.png" if several else f"{OVERLAY_NAME}.png")
        draw_overlay(path, scan, own, f"{title} · {channel_id}" if several else title)
        paths.append(path)
    return tuple(paths)
