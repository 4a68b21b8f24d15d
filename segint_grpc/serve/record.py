"""The files in the home's `run` folder that say which server runs, for tools; and who a process is.

`serve.json` is any running server's, `background.json` only that of one which segint_run started.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from segint_grpc.home import Home


@dataclass(frozen=True)
class Running:
    """A running server: its process, its home, and the addresses that it took (HOST:PORT, and a path).

    `allow` names the networks that it lets in, `client_mode` what clients need, `options` what segint_run
    was given, the home aside, `notes` what whoever starts it should know.
    """

    pid: int
    identity: str
    home: str
    http: str = ""
    https: str = ""
    grpc: str = ""
    socket: str = ""
    allow: tuple[str, ...] = ()
    client_mode: str = ""
    options: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def serve_file(home: Home) -> Path:
    """Return the path of the record that every server keeps while it runs."""
    return home.run / "serve.json"


def background_file(home: Home) -> Path:
    """Return the path of the record that segint_run leaves for segint_kill."""
    return home.run / "background.json"


def write(path: Path, running: Running) -> None:
    """Write `running` to `path`, at once or not at all."""
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(asdict(running), indent=1) + "\n")
    temporary.replace(path)


def read(path: Path) -> Running | None:
    """Return the server that `path` names if that very process still runs, else None."""
    try:
        facts = json.loads(path.read_text())
        lists = {name: tuple(value) for name, value in facts.items() if isinstance(value, list)}
        running = Running(**{**facts, **lists})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return running if identity(running.pid) == running.identity else None


def identity(pid: int) -> str:
    """Return what tells process `pid` from every other that had or will have its number; "" if it is gone.

    That is the boot and the start time in clock ticks (proc(5), field 22): unlike a time of day, neither
    changes when the clock is set. A process that has ended but was not waited for counts as gone.
    """
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return "" if state in "ZX" else f"{boot}:{rest[18]}"


def of(pid: int, home: Home, facts: Mapping[str, str]) -> Running:
    """Return the record of process `pid` as the server of `home`; its addresses are among `facts`."""
    http, https, grpc, socket = (facts.get(name, "") for name in ("http", "https", "grpc", "socket"))
    return Running(pid, identity(pid), str(home.path), http, https, grpc, socket)
