"""How a network wants its tensors: which axis is where, and of which numbers. NumPy alone.

The parameter `axes` names them in order: N (always 1), C (channels), D (slice), H (row), W (column).
With C all channels are one tensor, without it each is a tensor of its own. What the network returns has the
same axes; C then counts structures or classes and may be left out or come on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import Channel

AXES = "axes"
DTYPE = "dtype"
INPUTS = "inputs"
OUTPUTS = "outputs"
DTYPES = ("uint8", "int16", "int32", "int64", "float16", "float32", "float64")
VOLUME = "DHW"
GEOMETRY = "geometry"
"""The input or argument that gets what `affines` returns."""

_BY_RANK = {3: "DHW", 4: "CDHW", 5: "NCDHW"}
"""By the number of an input's dimensions, where no parameter says it."""

_NARROW = (np.dtype(np.int16), np.dtype(np.uint8))


@dataclass(frozen=True)
class Layout:
    """The axes, and the dtype: by default int32 for volumes as they were sent, else as they were prepared."""

    axes: str = VOLUME
    dtype: str = ""

    def ordered(self, channels: Sequence[Channel], names: Sequence[str]) -> Sequence[Channel]:
        """Return `channels` as the inputs `names` have them, where these are called after channels."""
        by_id = {channel.channel_id: channel for channel in channels}
        each = "C" not in self.axes and set(names) == set(by_id)
        return [by_id[name] for name in names] if each else channels

    def arrays(self, channels: Sequence[Channel]) -> list[NDArray[Any]]:
        """Return new C-contiguous arrays for `channels`: one with all of them, or one for each.

        Raises:
            ModelFailure: the channels lie on different grids, or hold values that the dtype cannot.
        """
        images = [self._cast(channel) for channel in channels]
        if "C" in self.axes:
            check_one_grid(channels)
            return [self._placed(np.stack(images), "C" + VOLUME)]
        return [self._placed(image, VOLUME) for image in images]

    def restored(self, made: NDArray[Any]) -> NDArray[Any]:
        """Return `made` as [k, j, i] or [structure, k, j, i]; anything else comes back as it is."""
        letters = self._letters(made.ndim)
        if letters is None:
            return made
        if "N" in letters:
            if made.shape[letters.index("N")] != 1:
                return made
            made = np.squeeze(made, letters.index("N"))
            letters = letters.replace("N", "")
        wanted = ("C" if "C" in letters else "") + VOLUME
        return made.transpose([letters.index(letter) for letter in wanted])

    def batch(self, tiles: NDArray[Any]) -> NDArray[Any]:
        """Return `tiles`, (tile, channel, spatial axes), as the network has them: channels may be last.

        Raises:
            ModelFailure: they hold values that the dtype cannot.
        """
        values = np.moveaxis(tiles, 1, -1) if self._channels_last else tiles
        if np.dtype(self.dtype or tiles.dtype).kind in "iu":
            _check_whole(values, np.dtype(self.dtype))
        return values.astype(self.dtype or tiles.dtype, copy=False)

    def tiles(self, made: NDArray[Any], rank: int) -> NDArray[Any]:
        """Return what a network made of a batch of `rank` dimensions, as (tile, class, spatial axes).

        One that has no axis of classes comes back as it is.
        """
        return np.moveaxis(made, -1, 1) if self._channels_last and made.ndim == rank else made

    @property
    def _channels_last(self) -> bool:
        return self.axes.endswith("C")

    def _letters(self, count: int) -> str | None:
        """Return which axes an output of `count` dimensions has, None where that cannot be told."""
        without = self.axes.replace("C", "")
        first = 1 if without.startswith("N") else 0
        forms = (self.axes, without, without[:first] + "C" + without[first:], without.replace("N", ""))
        return next((form for form in forms if len(form) == count), None)

    def _placed(self, values: NDArray[Any], letters: str) -> NDArray[Any]:
        if "N" in self.axes:
            values, letters = values[None], "N" + letters
        return np.ascontiguousarray(values.transpose([letters.index(letter) for letter in self.axes]))

    def _cast(self, channel: Channel) -> NDArray[Any]:
        image = channel.image_kji
        wanted = np.dtype(self.dtype or (np.int32 if image.dtype in _NARROW else image.dtype))
        if wanted.kind in "iu" and not np.can_cast(image.dtype, wanted):
            _check_range(channel, wanted)
        return np.array(image, dtype=wanted)


def wanted_layout(parameters: Mapping[str, Any], axes: str = VOLUME) -> Layout:
    """Return the layout that `parameters` declare, or the default `axes`.

    Raises:
        InvalidModel: they cannot be.
    """
    axes, dtype = parameters.get(AXES, axes), parameters.get(DTYPE, "")
    letters = sorted(axes) if isinstance(axes, str) else []
    if not set(VOLUME) <= set(letters) <= set("NC" + VOLUME) or len(set(letters)) != len(letters):
        raise errors.InvalidModel(
            f"The parameter axes must hold D, H and W and may hold N and C, as in NCDHW, not {axes!r:.60}."
        )
    if dtype and dtype not in DTYPES:
        raise errors.InvalidModel(
            f"The parameter dtype must be one of {', '.join(DTYPES)}, not {dtype!r:.60}."
        )
    return Layout(axes, dtype)


def layout_by_rank(parameters: Mapping[str, Any], name: str, rank: int) -> Layout:
    """Return the layout of the input `name` of `rank` dimensions, which alone tell its axes by default.

    Raises:
        InvalidModel: the parameters say another number of axes, or cannot be.
    """
    layout = wanted_layout(parameters, _BY_RANK.get(rank, VOLUME))
    if len(layout.axes) != rank:
        raise errors.InvalidModel(
            f"The input {name} has {rank} dimensions, the parameter {AXES} {len(layout.axes)} "
            f"({layout.axes}); a network of slices needs a manifest with [versions.inference]."
        )
    return layout


def with_dtype(layout: Layout, name: str, dtype: str, *, usable: bool = True) -> Layout:
    """Return `layout` with the dtype of the input `name`; raises InvalidModel where a parameter says another.

    `usable` says whether there can be volumes of that dtype.
    """
    if not usable or layout.dtype not in ("", dtype):
        raise errors.InvalidModel(
            f"The input {name} is of {dtype}; the parameter {DTYPE} says {layout.dtype or 'nothing'}."
        )
    return Layout(layout.axes, dtype)


def check_rank(name: str, rank: int, layout: Layout) -> None:
    """Raise ModelFailure unless the input `name` of `rank` dimensions has those of a volume."""
    if rank != len(layout.axes):
        raise errors.ModelFailure(
            f"The input {name} has {rank} dimensions, and would be given {len(layout.axes)} ({layout.axes}); "
            f"see the parameter {AXES}. A network of slices needs a manifest with [versions.inference]."
        )


def wanted_names(parameters: Mapping[str, Any], name: str) -> list[str]:
    """Return the parameter `name`, one or several names of tensors, none where it is not given.

    Raises:
        InvalidModel: it is something else.
    """
    names = parameters.get(name, [])
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise errors.InvalidModel(
            f"The parameter {name} must be a name or a list of names, not {names!r:.60}."
        )
    return names


def check_tensors(parameters: Mapping[str, Any]) -> None:
    """Raise InvalidModel unless the parameters `axes`, `dtype`, `inputs` and `outputs` can be, if given."""
    wanted_layout(parameters)
    for name in (INPUTS, OUTPUTS):
        wanted_names(parameters, name)


def affines(channels: Sequence[Channel]) -> NDArray[np.float64]:
    """Return what a network that asks for `geometry` gets: the 4×4 matrix from (i, j, k, 1) to LPS in mm.

    With several channels it is one such matrix for each, [channel, 4, 4].
    """
    matrices = np.stack([channel.geometry.affine for channel in channels])
    return matrices if len(channels) > 1 else matrices[0]


def contiguous(values: NDArray[Any]) -> NDArray[Any]:
    """Return `values` C-contiguous, also along axes of one element.

    These NumPy calls contiguous even where they count backwards, which torch does not take.
    """
    return np.ascontiguousarray(values).reshape(-1).reshape(values.shape)


def check_one_grid(channels: Sequence[Channel]) -> None:
    """Raise ModelFailure unless all channels have voxels at the same places."""
    first = channels[0]
    for other in channels[1:]:
        same = first.geometry.shape_kji == other.geometry.shape_kji
        if not (same and np.allclose(first.geometry.affine, other.geometry.affine, atol=1e-3)):
            raise errors.ModelFailure(
                f"The model takes all channels as one array, but {first.channel_id} and {other.channel_id} "
                "lie on different grids; have the manifest resample them."
            )


def _check_whole(values: NDArray[Any], wanted: np.dtype[Any]) -> None:
    """Raise ModelFailure unless the integer `wanted` can hold all `values` of a prepared scan."""
    low, high, limits = float(values.min()), float(values.max()), np.iinfo(wanted)
    if not (limits.min <= low <= high <= limits.max and np.array_equal(np.rint(values), values)):
        raise errors.ModelFailure(
            f"The prepared scan holds values from {low:g} to {high:g}, which the dtype {wanted} that the "
            "model wants cannot hold; an integer dtype in [versions.input] rounds them and keeps them within "
            "its bounds."
        )


def _check_range(channel: Channel, wanted: np.dtype[Any]) -> None:
    """Raise ModelFailure unless the integer `wanted` can hold all values, which a cast would change."""
    image = channel.image_kji
    low, high = float(image.min()), float(image.max())
    limits = np.iinfo(wanted)
    if image.dtype.kind == "f" or low < limits.min or high > limits.max:
        raise errors.ModelFailure(
            f"Channel {channel.channel_id} holds {image.dtype} between {low:g} and {high:g}, which the dtype "
            f"{wanted} that the model wants cannot hold."
        )
