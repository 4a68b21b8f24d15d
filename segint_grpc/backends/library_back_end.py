"""What the back ends share whose library is imported when a model is loaded, and no earlier."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

from segint_grpc.backends import missing_library


class LibraryBackEnd:
    """Imports what loads its models; the core, which asks `check`, need not hold the library."""

    name: ClassVar[str]
    """What the back end is called."""
    extra: ClassVar[str]

    def imported(self, module: str) -> Any:
        """Return the module `segint_grpc.backends.MODULE`, which imports the library; only `load` does so.

        Raises:
            InvalidModel: it is missing; the message names the extra.
        """
        try:
            return importlib.import_module(f"segint_grpc.backends.{module}")
        except ImportError as error:
            raise missing_library(self.name, self.extra, str(error)) from error
