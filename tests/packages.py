"""Packages for tests: a model folder whose manifest is as short as it may be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from segint_grpc.packaging.manifest import MANIFEST

SHORT = """\
[family]
canonical_name = "Livers"
body_parts = ["Abdomen"]

[[channels]]
id = "ct"
modalities = ["CT"]

[[versions]]
id = "Liver 1"
number = "1.0"

[[versions.structures]]
id = "liver"
color = "#ff7800"

[versions.runtime]
backend = "phantom"
"""


def a_folder(folder: Path, manifest: str = SHORT, files: Mapping[str, bytes] | None = None) -> Path:
    """Write a package's files into `folder` and return it."""
    for name, content in {MANIFEST: manifest.encode(), **(files or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
