"""Compile protos/ into generated/, so that the committed code is exactly what this makes.

Usage: python scripts/generate_protos.py [--out DIR]

protoc writes imports as if protos/ were on sys.path (`from radiomics import Model_pb2`), which clashes
with other software's `radiomics`; the imports are rewritten to begin with `generated.`. It also writes
the enum value called None into the .pyi as a name, which is a syntax error; those lines are mended.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("radiomics", "segint", r"grpc\.reflection")
"""Regular expressions for the packages under protos/; `import grpc` itself stays gRPC's library."""

INIT_TEXT = '"""Machine output of scripts/generate_protos.py; never edited."""\n'


def compile_protos(out: Path) -> None:
    """Write the compiled messages, services and type stubs of every file in protos/ under `out`."""
    bundled = Path(grpc_tools.__file__).parent / "_proto"
    paths = sorted((ROOT / "protos").rglob("*.proto"))
    includes = [f"-I{ROOT / 'protos'}", f"-I{bundled}"]
    messages = [f"--python_out={out}", f"--pyi_out={out}"]
    services = [f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}"]
    out.mkdir(parents=True, exist_ok=True)
    run_protoc([*includes, *messages], paths)
    run_protoc([*includes, *services], [p for p in paths if "\nservice " in p.read_text()])
    for package in (out, *(p for p in sorted(out.rglob("*")) if p.is_dir() and p.name != "__pycache__")):
        (package / "__init__.py").write_text(INIT_TEXT)
    for path in sorted([*out.rglob("*.py"), *out.rglob("*.pyi")]):
        path.write_text(mend(path.read_text()))


def run_protoc(options: list[str], paths: list[Path]) -> None:
    """Run protoc over `paths`; its own messages say what is wrong with a file."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    code = protoc.main(["protoc", *options, *(str(p.relative_to(ROOT / "protos")) for p in paths)])
    if code != 0:
        raise SystemExit(code)


def mend(text: str) -> str:
    """Return protoc's Python `text` with its imports under `generated.` and no enum value named None."""
    roots = "|".join(PACKAGES)
    text = re.sub(rf"^from ((?:{roots})[\w.]*) import", r"from generated.\1 import", text, flags=re.M)
    text = re.sub(rf"^import ((?:{roots})[\w.]*)$", r"import generated.\1", text, flags=re.M)
    return re.sub(r"^( *)None: .*\n", "", text, flags=re.M)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "generated", help="default: generated/")
    compile_protos(parser.parse_args().out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
