"""`segint segment`: has a scan segmented, as Velocity would, and writes the masks."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from generated.radiomics import Model_pb2
from segint_grpc.cli.completions import offered_ids
from segint_grpc.cli.options import chosen_token, token_options
from segint_grpc.cli.progress_bar import SegmentationBar
from segint_grpc.cli.trust_options import trust_options
from segint_grpc.client.masks import Mask, decode_masks
from segint_grpc.client.scan import Scan
from segint_grpc.client.scans import load_part, read_scan
from segint_grpc.client.segmentation import assign_channels, choose_version
from segint_grpc.client.segmentation import segment as segment_remotely
from segint_grpc.client.trust import Trust
from segint_grpc.client.velocity import VelocityClient
from segint_grpc.settings import Settings

SERVER_URL = f"http://{Settings.http}"
INTERRUPTED = 130
"""The shell's exit code for a command that Ctrl-C ended."""


@dataclass(frozen=True)
class Order:
    """What the user asked for."""

    scan: Path
    series: str
    channels: dict[str, Path]
    model_id: str
    server: str
    trust: Trust
    token: str
    out: Path


class ChannelPath(click.ParamType[tuple[str, Path]]):
    """ID=PATH."""

    name = "ID=PATH"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Path]:
        """Split at the first equals sign."""
        channel_id, found, path = value.partition("=")
        if not found or not channel_id or not path:
            self.fail(f"{value!r} is not of the form ID=PATH.", param, ctx)
        return channel_id, Path(path)


server_option = click.option(
    "--server",
    metavar="URL",
    default=SERVER_URL,
    show_default=True,
    envvar="SEGINT_SERVER",
    show_envvar=True,
    help="Where SegInt answers.",
)


@click.command(short_help="Have a scan segmented and write its masks.")
@click.argument("scan", type=click.Path(path_type=Path))
@click.option(
    "--model",
    "model_id",
    default="",
    metavar="ID",
    shell_complete=offered_ids,
    help="The model's id, as `segint models` lists it.",
)
@server_option
@trust_options
@token_options
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the files; default: SCAN_masks, here."
)
@click.option(
    "--series", default="", metavar="UID", help="Which DICOM series of the folder (the UID's end will do)."
)
@click.option(
    "--channel",
    "channels",
    type=ChannelPath(),
    multiple=True,
    help="A further scan, for a model with several inputs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def segment(
    scan: Path,
    model_id: str,
    server: str,
    trust: Trust,
    out: Path | None,
    series: str,
    channels: tuple[tuple[str, Path], ...],
    as_json: bool,
) -> None:
    """Have SCAN segmented and write its masks as NIfTI files with an overlay picture.

    SCAN is a NIfTI file (.nii, .nii.gz) or a folder with the slices of a DICOM series. The masks lie in
    the scan's own frame, so that they overlay it in any viewer. Ctrl-C cancels the job on the server.

    \b
    Examples:
      segint models
      segint segment ct.nii.gz --model "Centered Orange Square"
      segint segment ./dicom --model Thorax --server http://10.1.2.3:8000 --out ./masks

    Where stdout is no terminal, the paths of the files are printed there, one per line; progress and
    everything else goes to stderr.
    """  # noqa: D301 (click's mark for lines that are not to be wrapped)
    folder = out or Path(f"{_stem(scan)}_masks")
    order = Order(scan, series, dict(channels), model_id, server, trust, chosen_token(), folder)
    console = Console(stderr=True)
    bar = SegmentationBar(console)
    try:
        with bar:
            outcome = _carry_out(order, bar)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(INTERRUPTED)
    for warning in bar.warnings:
        console.print(f"The server notes: {warning}", markup=False)
    if as_json:
        click.echo(json.dumps(outcome.as_json(bar.legs_ms), indent=2))
    elif not sys.stdout.isatty():
        click.echo("\n".join(str(path) for path in outcome.paths))
    _print_summary(console, outcome, bar.legs_ms)


@dataclass(frozen=True)
class Outcome:
    """What was written, for the user."""

    model_id: str
    masks: tuple[tuple[Mask, Path], ...]
    overlays: tuple[Path, ...]

    @property
    def paths(self) -> list[Path]:
        """Every file, absolute."""
        return [*(path for _, path in self.masks), *self.overlays]

    def as_json(self, legs_ms: Mapping[str, float]) -> dict[str, object]:
        """Return the facts for a program."""
        return {
            "model": self.model_id,
            "masks": [
                {"structure": mask.structure.Name, "path": str(path), "volume_ml": round(mask.volume_ml, 3)}
                for mask, path in self.masks
            ],
            "overlays": [str(path) for path in self.overlays],
            "legs_ms": {leg: round(spent) for leg, spent in legs_ms.items()},
        }


def _carry_out(order: Order, bar: SegmentationBar) -> Outcome:
    # Whatever is missing here for writing is better known before the model runs than after it.
    outcome = load_part("outcome")
    with outcome.prepared_folder(order.out) as folder:
        bar.leg("read")
        main = _read(order.scan, order.series, bar)
        others = {channel_id: _read(path, "", bar) for channel_id, path in order.channels.items()}
        version, scans, output = asyncio.run(_talk(order, main, others, bar))
        bar.leg("write")
        masks = decode_masks(output, scans)
        written = outcome.write_outcome(folder, masks, scans, version.ID)
    return Outcome(version.ID, written.masks, written.overlays)


def _read(path: Path, series: str, bar: SegmentationBar) -> Scan:
    scan = read_scan(path, series)
    for note in scan.notes:
        bar.console.print(f"Note: {note}", markup=False)
    return scan


async def _talk(
    order: Order, main: Scan, others: Mapping[str, Scan], bar: SegmentationBar
) -> tuple[Model_pb2.ModelVersion, dict[str, Scan], Model_pb2.ModelOutput]:
    task = asyncio.current_task()
    assert task is not None
    # Ctrl-C cancels the main task by itself (asyncio.Runner); being terminated should be no different.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with VelocityClient(order.server, token=order.token, trust=order.trust) as client:
        family, version = choose_version(await client.models(), order.model_id)
        scans = assign_channels(family, main, others)
        return version, scans, await segment_remotely(client, version.ID, scans, bar)


def _print_summary(console: Console, outcome: Outcome, legs_ms: Mapping[str, float]) -> None:
    table = Table(title=escape(outcome.model_id), title_justify="left")
    for heading, side in (("Structure", "left"), ("Volume", "right"), ("File", "left")):
        table.add_column(heading, justify="right" if side == "right" else "left", overflow="fold")
    for mask, path in outcome.masks:
        red, green, blue = mask.color
        name = f"[rgb({red},{green},{blue})]■[/] {escape(mask.structure.Name)}"
        table.add_row(name, f"{mask.volume_ml:,.1f} ml", path.name)
    for path in outcome.overlays:
        table.add_row("overlay", "", path.name)
    console.print(table)
    console.print(f"In {outcome.paths[0].parent}", markup=False, soft_wrap=True)
    legs = " · ".join(f"{leg} {spent:,.0f} ms" for leg, spent in legs_ms.items())
    console.print(f"Time: {legs} · together {sum(legs_ms.values()):,.0f} ms", markup=False, soft_wrap=True)


def _stem(path: Path) -> str:
    name = path.resolve().name
    for suffix in (".nii.gz", ".nii"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name
