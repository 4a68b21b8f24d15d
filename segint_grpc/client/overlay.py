"""Draws the masks over the scan: three planes, contours in the structures' colours, a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from segint_grpc.client.masks import Mask
from segint_grpc.client.overlay_views import View, cut_views
from segint_grpc.client.scan import Scan

Color = tuple[int, int, int]

BACKGROUND: Color = (13, 17, 23)
TEXT: Color = (230, 237, 243)
FAINT: Color = (139, 148, 158)
PANEL_EDGE: Color = (48, 54, 61)
FILL_OPACITY = 0.22
OVERSAMPLING = 2
CONTOUR_PX = 3
"""How wide a contour is, inwards from the mask's border, before the picture is reduced by `OVERSAMPLING`."""
AXIAL_BOX = (720, 680)
SIDE_BOX = (520, 310)
FRAME = 26
"""Black border of a panel: its letters stand there and never hide anatomy."""
MARGIN = 16
HEADLINE = 52
"""Where the panels begin, below the headline."""
LEGEND_COLUMN = 240
LEGEND_ROW = 24
SCALE_BAR_MM = 50
DARKEST = 60
SPARE_COLORS: tuple[Color, ...] = (
    (255, 120, 0), (64, 196, 255), (130, 220, 100), (255, 99, 132), (190, 140, 255), (255, 214, 10),
)  # fmt: skip


@dataclass(frozen=True)
class _Ink:
    """A structure in the picture."""

    color: Color
    label: str


def draw_overlay(path: Path, scan: Scan, masks: Sequence[Mask], title: str) -> None:
    """Write a PNG of the planes through the middle of `masks`, which lie on the grid of `scan`.

    Args:
        path: the file to write.
        scan: the scan; a CT is shown in a soft-tissue window, anything else between its percentiles.
        masks: any number of masks; empty ones are in the legend only.
        title: the headline; no patient data.
    """
    inks = [_ink(n, mask) for n, mask in enumerate(masks)]
    axial, coronal, sagittal = cut_views(scan, masks)
    left = [_panel(axial, inks, AXIAL_BOX)]
    right = [_panel(view, inks, SIDE_BOX) for view in (coronal, sagittal)]
    _compose(left, right, inks, title).save(path, format="PNG")


def _compose(
    left: list[Image.Image], right: list[Image.Image], inks: Sequence[_Ink], title: str
) -> Image.Image:
    """Return the picture: two columns of panels, the legend where there is room for it."""
    right_x = left[0].width + 2 * MARGIN
    width = right_x + max(panel.width for panel in right) + MARGIN
    room = max(_height(left), _height(right))
    below: list[Image.Image] = []
    for column in (right, left):
        legend = _legend(inks, max(panel.width for panel in column))
        if _height([*column, legend]) <= room:
            column.append(legend)
            break
    else:
        below.append(_legend(inks, width - 2 * MARGIN))
    picture = Image.new("RGB", (width, HEADLINE + room + _height(below)), BACKGROUND)
    for legend in below:
        picture.paste(legend, (MARGIN, HEADLINE + room))
    _headline(picture, title)
    _paste_column(picture, left, MARGIN)
    _paste_column(picture, right, right_x)
    return picture


def _height(panels: Sequence[Image.Image]) -> int:
    return sum(panel.height + MARGIN for panel in panels)


def _paste_column(picture: Image.Image, panels: Sequence[Image.Image], x: int) -> None:
    y = HEADLINE
    for panel in panels:
        picture.paste(panel, (x, y))
        y += panel.height + MARGIN


def _ink(number: int, mask: Mask) -> _Ink:
    # Black and nearly black, as of structures without a colour, cannot be seen on a scan.
    color = mask.color if max(mask.color) >= DARKEST else SPARE_COLORS[number % len(SPARE_COLORS)]
    name = mask.structure.Name or mask.structure.StructureID
    return _Ink(color, f"{name}  {mask.volume_ml:,.1f} ml" if mask.volume_ml else f"{name}  (empty)")


def _headline(picture: Image.Image, title: str) -> None:
    draw = ImageDraw.Draw(picture)
    draw.text((MARGIN, 16), title, fill=TEXT, font=_font(22))
    claim = "SegInt: research software, no medical device"
    draw.text((picture.width - MARGIN, 22), claim, fill=FAINT, font=_font(14), anchor="ra")


def _panel(view: View, inks: Sequence[_Ink], box: tuple[int, int]) -> Image.Image:
    """Return the view with its contours, in square pixels, as large as `box` (width, height) allows."""
    rows, columns = view.gray.shape
    size_mm = (columns * view.pixel_mm[1], rows * view.pixel_mm[0])
    px_per_mm = min(box[0] / size_mm[0], box[1] / size_mm[1])
    size = (max(1, round(size_mm[0] * px_per_mm)), max(1, round(size_mm[1] * px_per_mm)))
    large = (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING)
    picture = Image.fromarray(view.gray).resize(large, Image.Resampling.BICUBIC).convert("RGB")
    for mask, ink in zip(view.masks, inks, strict=True):
        _draw_mask(picture, mask, ink.color)
    panel = Image.new("RGB", (size[0] + 2 * FRAME, size[1] + 2 * FRAME))
    panel.paste(picture.resize(size, Image.Resampling.LANCZOS), (FRAME, FRAME))
    _annotate(panel, view, px_per_mm)
    return panel


def _draw_mask(picture: Image.Image, mask: NDArray[np.bool_], color: Color) -> None:
    # Pixel edges map to pixel edges in both pictures, so that the contour lies on the voxels' border.
    soft = Image.fromarray(mask.astype(np.uint8) * 255).resize(picture.size, Image.Resampling.BILINEAR)
    box = soft.point(lambda value: value >> 7).getbbox()
    if box is None:
        return
    inside = np.asarray(soft.crop(box)) >= 128
    opacity = np.where(inside & ~_eroded(inside), 255, inside * round(255 * FILL_OPACITY)).astype(np.uint8)
    picture.paste(color, box[:2], Image.fromarray(opacity))


def _eroded(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `inside` without what is within `CONTOUR_PX` of its border, beside which nothing is inside."""
    kept = inside
    for axis in (0, 1):
        wide = np.pad(kept, [(CONTOUR_PX, CONTOUR_PX) if n == axis else (0, 0) for n in (0, 1)])
        shifted = (
            np.take(wide, range(start, start + kept.shape[axis]), axis) for start in range(2 * CONTOUR_PX + 1)
        )
        kept = np.logical_and.reduce(list(shifted))
    return kept


def _annotate(panel: Image.Image, view: View, px_per_mm: float) -> None:
    draw = ImageDraw.Draw(panel)
    width, height = panel.size
    edge = FRAME // 2
    places = (
        (edge, height // 2),
        (width - edge, height // 2),
        (width // 2, edge),
        (width // 2, height - edge),
    )
    for letter, place in zip(view.letters, places, strict=True):
        draw.text(place, letter, fill=TEXT, font=_font(18), anchor="mm")
    draw.text((8, edge), view.title, fill=FAINT, font=_font(14), anchor="lm")
    bar = round(SCALE_BAR_MM * px_per_mm)
    if FRAME + bar + 50 < width // 2:
        y = height - edge
        draw.line((FRAME, y, FRAME + bar, y), fill=FAINT, width=2)
        draw.text((FRAME + bar + 6, y), f"{SCALE_BAR_MM // 10} cm", fill=FAINT, font=_font(13), anchor="lm")
    draw.rectangle((0, 0, width - 1, height - 1), outline=PANEL_EDGE)


def _legend(inks: Sequence[_Ink], width: int) -> Image.Image:
    columns = max(1, width // LEGEND_COLUMN)
    rows = -(-len(inks) // columns)
    legend = Image.new("RGB", (width, max(1, rows * LEGEND_ROW)), BACKGROUND)
    draw = ImageDraw.Draw(legend)
    for n, ink in enumerate(inks):
        x, y = n % columns * LEGEND_COLUMN, n // columns * LEGEND_ROW
        draw.rounded_rectangle((x, y + 4, x + 14, y + 18), radius=3, fill=ink.color)
        label = _fitting(ink.label, LEGEND_COLUMN - 30)
        draw.text((x + 22, y + 11), label, fill=TEXT, font=_font(14), anchor="lm")
    return legend


def _fitting(text: str, width: int) -> str:
    font = _font(14)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
