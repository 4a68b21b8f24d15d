"""Every service of a generated package, whichever file of it they are in."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from google.protobuf.descriptor import ServiceDescriptor


def every_service(package: ModuleType) -> Iterator[ServiceDescriptor]:
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith("_pb2"):
            found = importlib.import_module(f"{package.__name__}.{module.name}")
            yield from found.DESCRIPTOR.services_by_name.values()
