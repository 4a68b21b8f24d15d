"""A back end in a package of its own: a structure is where values lie in a range that a JSON file gives."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from segint_grpc import errors
from segint_grpc.backends.base import Channel, Masks, ModelSource


class Ranges:
    summary = "Ranges of values in a JSON file: StructureID → lowest and highest value."
    extra = ""

    def check(self, source: ModelSource) -> None:
        if source.model_file is None or not source.model_file.is_file():
            raise errors.InvalidModel(f"The model file {source.model_file} is missing; name a .json file.")

    def carries_code(self, path: Path) -> bool:
        return False

    def load(self, source: ModelSource) -> None:
        self.ranges = json.loads(source.model_file.read_text())

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        image_kji = channels[0].image_kji
        return {name: (image_kji >= low) & (image_kji <= high) for name, (low, high) in self.ranges.items()}
