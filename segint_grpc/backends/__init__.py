"""Back ends: what runs a model of one kind. Each is a short file and an entry point in setup.cfg.

Nothing here imports a back end's libraries before a model is loaded, so the core may ask all questions
that need no model: which back ends there are, and whether files are of use to one (`BackEnd.check`). In the
environment of another interpreter (surroundings.py) the same answers are for that one.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from segint_grpc import errors
from segint_grpc.backends import surroundings
from segint_grpc.backends.base import BackEnd
from segint_grpc.backends.surroundings import GROUP

GIVEN_UP = {"caffe2": ["torch has given Caffe2 up: export the network to ONNX, and name the back end onnx."]}
"""What models were once kept in, and the way out."""


def names() -> list[str]:
    """Return the names of the back ends that are installed, sorted."""
    return sorted(_installed())


def load_backend(name: str) -> BackEnd:
    """Return a new instance of the back end `name`.

    Raises:
        InvalidModel: there is none of that name, or a library that it needs is missing.
    """
    installed = _installed()
    if name not in installed:
        other = surroundings.entered()
        place = f"in the interpreter {other.interpreter}" if other else "here"
        here = f"There is no back end {name!r} {place}; installed are {', '.join(names())}."
        raise errors.InvalidModel(" ".join([here, *GIVEN_UP.get(name.lower(), ())]))
    try:
        return cast(BackEnd, installed[name].load()())
    except ImportError as error:
        raise missing_library(name, name, str(error)) from error
    except Exception as error:
        # Another package's, which must not keep anybody from the other back ends.
        why = f"{type(error).__name__}: {error}"
        raise errors.InvalidModel(f"The back end {name} cannot work ({why}); mend its package.") from error


def missing_library(name: str, extra: str, why: str) -> errors.InvalidModel:
    """Return the error for the back end `name`, whose libraries come with the pip extra `extra`."""
    here = surroundings.entered()
    if here is None:
        mend = f'`pip install "segint[{extra}]"` mends it.'
        return errors.InvalidModel(f"The back end {name} cannot work ({why}); {mend}")
    place = f"in the interpreter {here.interpreter}"
    return errors.InvalidModel(
        f"The back end {name} cannot work {place} ({why}); `{here.install(extra)}` mends it."
    )


def require(name: str, extra: str, *libraries: str) -> None:
    """Raise `missing_library` unless all of `libraries` are installed; imports none of them."""
    absent = [library for library in libraries if importlib.util.find_spec(library) is None]
    if absent:
        raise missing_library(
            name, extra, f"{' and '.join(absent)} {'are' if absent[1:] else 'is'} not installed"
        )


def _installed() -> dict[str, EntryPoint]:
    here = surroundings.entered()
    ours = here.back_ends if here else {}
    return {point.name: point for point in entry_points(group=GROUP)} | {
        name: EntryPoint(name, value, GROUP) for name, value in ours.items()
    }
