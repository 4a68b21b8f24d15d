"""The whole way once: a server in a temporary home, a model, a scan sent as Velocity does, the masks.

Usage: python scripts/demo.py [SCAN] [--out DIR]
SCAN is a NIfTI file or a DICOM folder; without one, a CT that SegInt draws itself. The files stay in DIR.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segint_grpc.client.phantom import write_phantom

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "hu_ranges"
SEGINT = (sys.executable, "-m", "segint_grpc.cli.main")
VERSION_ID = "HU Ranges"
OFFER = ("--approve", "--activate")


INTERRUPTED = 130


def main() -> int:
    """Run the demo; return an exit code. What goes wrong was said by the command that it went wrong in."""
    try:
        code = demo()
    except subprocess.CalledProcessError as error:
        code = error.returncode
    except KeyboardInterrupt:
        code = INTERRUPTED
    return code if code >= 0 else INTERRUPTED


def demo() -> int:
    """Go the whole way; return the exit code of `segint segment`."""
    options = parse_arguments()
    out: Path = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    scan = options.scan
    if scan is None:
        scan = out / "phantom_scan.nii.gz"
        write_phantom(scan)
        say(f"No scan was given, so here is one that SegInt draws itself: {scan}")
    with tempfile.TemporaryDirectory(prefix="segint-demo-") as temporary:
        home = Path(temporary) / "home"
        with server(home) as address:
            add_example_model(home, Path(temporary))
            return segment(scan, address, out)


def parse_arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="demo.sh", description="Send a scan to a server and fetch masks.")
    parser.add_argument("scan", nargs="?", type=Path, help="a NIfTI file or a DICOM folder")
    default = ROOT / "build" / "demo"
    parser.add_argument("--out", type=Path, default=default, help=f"where the files go; default: {default}")
    return parser.parse_args()


@contextmanager
def server(home: Path) -> Iterator[str]:
    """Run `segint serve` on free ports while the context lasts; give its HTTP address.

    Its process group is its own, so that Ctrl-C reaches `segint segment` alone, which then cancels its job.
    """
    began = time.monotonic()
    reader, writer = os.pipe()
    free = ("--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0")
    process = subprocess.Popen(
        (*SEGINT, "serve", "--home", home, *free, "--ready-fd", str(writer), "--die-with-parent"),
        stdout=subprocess.DEVNULL,
        pass_fds=(writer,),
        process_group=0,
    )
    os.close(writer)
    try:
        with os.fdopen(reader) as pipe:
            line = pipe.readline()
        if not line:
            raise SystemExit(process.wait())
        address: str = json.loads(line)["http"]
        say(f"A server listens on {address}, after {1000 * (time.monotonic() - began):.0f} ms.")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()
        say("The server is stopped.")


def add_example_model(home: Path, folder: Path) -> None:
    """Do what examples/hu_ranges/README.md says."""
    files = ("--model", folder / "hu_ranges.pt", "--module", EXAMPLE / "hu_ranges.py")
    for command in (
        (sys.executable, EXAMPLE / "make.py", folder),
        (*SEGINT, "model", "import", folder / "hu_ranges.pb", "--home", home),
        (*SEGINT, "model", "set", VERSION_ID, "--backend", "pytorch", *files, *OFFER, "--home", home),
    ):
        # As with the server: Ctrl-C reaches the demo alone, which then ends the command without a traceback.
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, process_group=0)
    say(f"The model {VERSION_ID} is added.")


def segment(scan: Path, address: str, out: Path) -> int:
    """Send the scan with `segint segment`, which shows progress and prints what it wrote."""
    command = (*SEGINT, "segment", scan, "--model", VERSION_ID, "--server", address, "--out", out)
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # It got the same signal, and is cancelling its job.
                continue


def say(sentence: str) -> None:
    """Tell a person; stdout is for paths alone."""
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
