"""In which orientations a model is tried, what each proves, and how hard a failure counts.

A model gets voxels and, if it asks for it, their geometry. It is right if its masks lie at the same
millimetres of the patient however the scan is stored. What tells a wrong one:

=============================  ====================================================================
orientation                    what it betrays
=============================  ====================================================================
another field of view          a model that turns its masks (or its input) and not back. A mirror about
                               the middle of the grid commutes with every flip, so no flip can show it.
                               A grid that is moved against the body by s does: the masks of a model that
                               turns by P move by P·s. Since s has three unlike parts, none of them zero,
                               P·s = s for no P of the 47 but the one that changes nothing.
slices in reverse              a model that turns the scan head to feet by its geometry and forgets to
                               turn the masks back, or that takes slice 0 for the feet.
feet first                     the same for left and right (and slices): what the scanner stores for a
                               patient who lies feet first. A model of planes swaps left and right here.
prone                          the same for left and right, front and back.
rows and columns exchanged     a model that confuses j and i, or the spacings along them.
sagittal, coronal slices       a model that takes the first axis for head–feet whatever the geometry says.
tilted                         a model that turns the scan by the geometry's axes and drops the oblique part.
=============================  ====================================================================

The phantom's grid is a cube, so that a mask with two axes exchanged fits its grid and is judged by its place;
the phantom of odd, unlike sizes then turns the same mistake into a wrong shape.

What is fair to a model that takes arrays only, and so cannot know how they are stored? A threshold or
any other model that treats all directions alike passes everything. A trained one has seen scans of one kind.
It must hold what every scan may do to it: another field of view, and slices in reverse, which clients send
as they please (`required`). Feet first, prone and the rest happen, too, and nothing in a family's
constraints could refuse them; there finding less is a warning, since a missing mask is seen, while masks
that are mirrored, or left and right exchanged, fail the check everywhere, since those are not. A family whose
channels say IsAxial is tried with axial slices alone.

A manifest that declares an orientation promises that no axis order matters, whatever the model: then the
phantom is stored in all 48, and in each its masks must agree (`every_axis_order`).
"""

from __future__ import annotations

from dataclasses import dataclass

from segint_grpc.domain.agreement import TURNS
from segint_grpc.domain.orientation import Arrangement, Placement, Window

PHANTOM_MOVE = Window((8 / 64, -12 / 64, 5 / 64))
"""Away from the body: the phantom keeps more air than this at the feet, at the back and on the right."""

SCAN_MOVE = Window((1 / 16, -1 / 12, 1 / 24))
"""Less, since a scan has anatomy at its ends; what both grids hold is compared."""

FIELD_OF_VIEW = "another field of view"


@dataclass(frozen=True)
class Orientation:
    """A way to store a body. `required`: every model must agree in it, whatever it declares."""

    name: str
    placement: Placement
    required: bool = False
    axial: bool = True


_TURNED = (
    Orientation("slices in reverse", Arrangement(reverse=(True, False, False)), required=True),
    Orientation("feet first", Arrangement(reverse=(True, False, True))),
    Orientation("prone", Arrangement(reverse=(False, True, True))),
)
_OTHER_PLANES = (
    Orientation("sagittal slices", Arrangement((2, 0, 1), (False, True, False)), axial=False),
    Orientation("coronal slices", Arrangement((1, 0, 2), (False, True, False)), axial=False),
)
_EXCHANGED = Orientation("rows and columns exchanged", Arrangement((0, 2, 1)))


def phantom_orientations(axial_only: bool) -> list[Orientation]:
    """Return the orientations that a phantom is tried in; `axial_only` leaves other planes out."""
    moved = Orientation(FIELD_OF_VIEW, PHANTOM_MOVE, required=True)
    return _fair((moved, *_TURNED, _EXCHANGED, *_OTHER_PLANES), axial_only)


def scan_orientations(axial_only: bool) -> list[Orientation]:
    """Return the orientations that the author's scan is tried in; `axial_only` as before."""
    moved = Orientation(FIELD_OF_VIEW, SCAN_MOVE, required=True)
    return _fair((moved, *_TURNED, *_OTHER_PLANES), axial_only)


def every_axis_order() -> list[Orientation]:
    """Return the 47 other ways to store the phantom: a manifest's orientation promises that none matters."""
    return [Orientation(_in_words(turn), turn, required=True) for turn in TURNS[1:]]


def _in_words(turn: Arrangement) -> str:
    """Return how an array is stored: "columns, -slices, rows" for its slices, rows and columns."""
    names = ("slices", "rows", "columns")
    parts = ("-" * back + names[axis] for axis, back in zip(turn.order, turn.reverse, strict=True))
    return f"the axes {', '.join(parts)}"


def _fair(orientations: tuple[Orientation, ...], axial_only: bool) -> list[Orientation]:
    return [orientation for orientation in orientations if orientation.axial or not axial_only]
