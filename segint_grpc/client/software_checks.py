"""What `segint doctor` looks at of the software: Python, libraries, and whether there is a GPU."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import re
import shutil
import subprocess
import sys

from segint_grpc import __version__
from segint_grpc.client.findings import Finding, ok, problem, warning

PATIENCE_S = 60.0
EXTRAS = {"pytorch": "models in PyTorch", "client": "`segint segment`"}
"""The extras that a doctor asks for, and what cannot be used without them."""
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)([^;]*)(?:;.*extra == ['\"](\w+)['\"])?")
_BOUND = re.compile(r"(>=|<)\s*([0-9.]+)")
_GPU_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
_USES_GPU = (
    "import torch; torch.ones(8, device='cuda').sum().item(); print(torch.__version__, torch.version.cuda)"
)
"""Computes something: is_available() alone is content with a GPU that this build has no code for."""
_ON_THE_PROCESSOR = "models run on the processor"
_WHOSE = "Models take it unless their parameter device says otherwise (docs/backends.md)."


def check_versions() -> list[Finding]:
    """Compare what is installed with what the package asks for, each extra on a line of its own."""
    wanted: dict[str, list[tuple[str, str]]] = {"": [], **{extra: [] for extra in EXTRAS}}
    for line in importlib.metadata.requires("segint") or ():
        if (match := _REQUIREMENT.match(line)) and (match[3] or "") in wanted:
            wanted[match[3] or ""].append((match[1], match[2]))
    faults = {
        extra: [text for entry in entries if (text := _fault(*entry))] for extra, entries in wanted.items()
    }
    return [_versions(faults.pop("")), *(_extra(extra, missing) for extra, missing in faults.items())]


def check_gpu() -> Finding:
    """Ask the driver for GPUs and, where there is one, PyTorch in a process of its own whether it sees it."""
    if shutil.which(_GPU_QUERY[0]) is None:
        return ok("gpu", f"No NVIDIA GPU; {_ON_THE_PROCESSOR}.")
    asked = _run(*_GPU_QUERY)
    if asked is None or asked.returncode or not asked.stdout.strip():
        return warning("gpu", f"The NVIDIA driver does not answer; {_ON_THE_PROCESSOR}.", "nvidia-smi")
    gpus = "; ".join(asked.stdout.strip().splitlines())
    if importlib.util.find_spec("torch") is None:
        return ok("gpu", f"{gpus} (PyTorch is not installed).")
    used = _run(sys.executable, "-c", _USES_GPU)
    if used is None or used.returncode:
        # The last line of a traceback says what, such as that this PyTorch was built without CUDA.
        why = used.stderr.strip().splitlines()[-1:] if used else ["it did not answer"]
        text = f"{gpus}, but the installed PyTorch cannot use it ({''.join(why):.200}); {_ON_THE_PROCESSOR}."
        return warning("gpu", text, "pip install --force-reinstall torch")
    torch, cuda = used.stdout.split()
    return ok("gpu", f"{gpus}; PyTorch {torch} computes on it with CUDA {cuda}. {_WHOSE}")


def _versions(faults: list[str]) -> Finding:
    if faults:
        return problem("versions", f"{', '.join(faults)}.", "pip install --upgrade segint")
    return ok("versions", f"SegInt {__version__}, Python {platform.python_version()}, libraries as required.")


def _extra(extra: str, faults: list[str]) -> Finding:
    if faults:
        text = f"For {EXTRAS[extra]}: {', '.join(faults)}."
        return warning(extra, text, f'pip install "segint[{extra}]"')
    return ok(extra, f"The libraries for {EXTRAS[extra]} are there.")


def _fault(name: str, bounds: str) -> str:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is not installed"
    return "" if _within(version, bounds) else f"{name} is {version}, wanted is {bounds.strip()}"


def _within(version: str, bounds: str) -> bool:
    """Return whether `version` fits `bounds` (such as ">=6.31.1,<8"), by its leading numbers alone."""
    found = _numbers(version)
    return all(
        (found >= _numbers(bound)) if sign == ">=" else (found < _numbers(bound))
        for sign, bound in _BOUND.findall(bounds)
    )


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in match[0].split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _run(*command: str) -> subprocess.CompletedProcess[str] | None:
    """Run `command`; None where it cannot be run or does not end in time."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
