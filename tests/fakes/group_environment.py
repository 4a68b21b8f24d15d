"""A research group's own environment: a real venv with NumPy, protobuf and a package that only it has."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

OURS = Path(importlib.metadata.distribution("numpy").locate_file(""))
"""The site-packages of the environment that the tests run in."""
NEEDED = ("numpy", "protobuf")
FOLDERS = {"numpy": ("numpy", "numpy.libs"), "protobuf": ("google",)}

GROUPLIB = {
    "grouplib/__init__.py": 'VERSION = "7.1"\n\n\ndef above(image, value):\n    return image > value\n',
    "grouplib/back_end.py": """
        from segint_grpc import errors
        from segint_grpc.backends.user_module import load_module


        class Grouped:
            summary = "A function predict(image) in a .py file."
            extra = ""

            def check(self, source):
                if source.module_file is None:
                    raise errors.InvalidModel("A grouped model needs a module file.")

            def carries_code(self, path):
                return False

            def load(self, source):
                self.module = load_module(source.module_file)

            def predict(self, channels, progress):
                return self.module.predict(channels[0].image_kji, progress)


        class Plain(Grouped):
            summary = "Above 100, without a file."

            def check(self, source):
                pass

            def load(self, source):
                pass

            def predict(self, channels, progress):
                return channels[0].image_kji > 100
    """,
    "grouplib-7.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: grouplib\nVersion: 7.1\n",
    "grouplib-7.1.dist-info/entry_points.txt": (
        "[segint.backends]\ngrouped = grouplib.back_end:Grouped\nplain = grouplib.back_end:Plain\n"
    ),
}

ABOVE_100 = """
    import importlib.util
    import grouplib

    assert grouplib.VERSION == "7.1"
    assert importlib.util.find_spec("torch") is None, "the server's torch must not be seen here"
    assert importlib.util.find_spec("grpc") is None

    def predict(image, progress):
        progress(0.5)
        return grouplib.above(image, 100)
"""
"""A module that runs nowhere else: one mask, above 100."""


def doing(body: str) -> str:
    """A module whose `predict` does `body` first, with `image` and `progress` at hand."""
    head = "import ctypes, os, subprocess, sys\nimport numpy as np\nimport grouplib\n\n"
    inner = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return f"{head}def predict(image, progress):\n{inner}\n    return grouplib.above(image, 100)\n"


def make_environment(folder: Path, needed: Sequence[str] = NEEDED) -> Path:
    """Make the environment in `folder` with what is `needed` of NumPy and protobuf; return its python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = next((folder / "lib").glob("python3.*")) / "site-packages"
    for distribution in needed:
        found = importlib.metadata.distribution(distribution)
        names = [*FOLDERS[distribution], f"{distribution}-{found.version}.dist-info"]
        for name in names:
            if (OURS / name).exists():
                (site / name).symlink_to(OURS / name)
    for name, text in GROUPLIB.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(textwrap.dedent(text))
    return folder / "bin" / "python"


def script(path: Path, text: str) -> Path:
    """An executable at `path` that is no Python, but a shell script."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path
