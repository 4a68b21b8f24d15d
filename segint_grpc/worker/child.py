"""A model process's own side: load one model, run jobs one after the other, say what became of them.

It was forked off the fork server and knows nothing of the core but one socket: tasks come in, progress and
outcomes go out. Its process ends after a failed run: what a model leaves behind is never used again.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import pickle
import resource
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segint_grpc import errors, logs
from segint_grpc.backends import gpus, remarks, threads
from segint_grpc.domain.model_load import ModelLoad
from segint_grpc.home import private_umask
from segint_grpc.worker import kernel, messages
from segint_grpc.worker.job_run import JobRun
from segint_grpc.worker.mishaps import explain
from segint_grpc.worker.task import LoadTask, RunTask

LOAD_FACTS = ("seconds", "memory_bytes", "gpu_memory_bytes", "device")

VOLUMES_TOLD_MAX = 512
"""A version with more structures has its volumes left out: a message is one line of limited length."""

_log = logging.getLogger("segint.model")


def main(connection: socket.socket, order: Mapping[str, Any]) -> int:
    """Serve the tasks of `connection` until it ends or a run fails; return the exit code.

    `order` holds `log` (a path; stdout and stderr go there), `log_max_bytes`, `memory_bytes`, `threads`,
    `seat` (gpus.py; 0 without it) and, where the processor is to be left to others, `nice` (nice(2)).
    """
    os.setsid()
    os.nice(int(order.get("nice", 0)))
    private_umask()
    log = LogFile(Path(order["log"]), int(order["log_max_bytes"]))
    log.attach()
    faulthandler.enable()
    _log_as_json()
    memory_bytes = limit_memory(int(order["memory_bytes"]))
    use_threads(int(order["threads"]))
    os.environ[gpus.SEAT] = str(order.get("seat", 0))
    connection.sendall(messages.pack(messages.READY, pid=os.getpid()))
    run = JobRun(connection.sendall)
    with connection.makefile("rb") as tasks:
        while task := _next(tasks):
            log.attach()
            if not serve(run, task, memory_bytes):
                return 1
    return 0


def serve(run: JobRun, task: RunTask | LoadTask, memory_bytes: int) -> bool:
    """Run `task`, say how it went, and return whether this process may run another."""
    logs.request_id.set(task.request_id)
    logs.job_id.set(task.job_id)
    kernel.reset_peak()
    try:
        with remarks.heard() as said:
            result = run.run(task) if isinstance(task, RunTask) else run.load(task.model)
    except BaseException as error:
        # SystemExit and KeyboardInterrupt too: a model may raise anything, and its job has to hear of it.
        failure = explain(error, task.model, memory_bytes)
        _log.error(failure.message, exc_info=not isinstance(error, errors.WrongOutput))
        run.say(messages.FAILED, error=type(failure).__name__, text=failure.message)
        return False
    run.say(
        messages.DONE,
        size_bytes=result.size_bytes,
        sha256=result.sha256,
        peak_memory_bytes=kernel.peak_bytes(),
        warnings=(*result.warnings, *said.sentences),
        voxels=result.voxels,
        volumes_ml=dict(result.volumes_ml) if len(result.volumes_ml) <= VOLUMES_TOLD_MAX else {},
        spent=said.spent,
        load=_told(result.load),
    )
    return not said.spent


def _told(load: ModelLoad | None) -> dict[str, Any] | None:
    """Return `load` as a message has it: without its time, which the store knows."""
    return {name: getattr(load, name) for name in LOAD_FACTS} if load else None


def limit_memory(memory_bytes: int) -> int:
    """Let this process map at most `memory_bytes` more than it does now, and leave no core dumps.

    Returns `memory_bytes`. A core dump would hold the patient's voxels.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # CUDA reserves more address space than any machine has memory; there the limit is on what is written.
    kind, mapped = resource.RLIMIT_AS, kernel.mapped_bytes()
    if gpus.DRIVER.exists():
        kind, mapped = resource.RLIMIT_DATA, kernel.private_bytes()
    _, hard = resource.getrlimit(kind)
    limit = mapped + memory_bytes
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (limit, limit))
    # Where the machine itself runs out, a model goes before the core does (proc(5), oom_score_adj).
    Path("/proc/self/oom_score_adj").write_text("500")
    return memory_bytes


def use_threads(count: int) -> None:
    """Have torch, where it is loaded, and libraries that are loaded later compute with `count` threads."""
    os.environ[threads.VARIABLE] = str(count)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)


class LogFile:
    """The file that holds what models print; it is put aside as `….1` when it has grown too large."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Name the file; nothing is touched."""
        self._path = path
        self._max_bytes = max_bytes

    def attach(self) -> None:
        """Point standard output and error at the file, and standard input at nothing."""
        if self._path.exists() and self._path.stat().st_size > self._max_bytes:
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        sys.stdout.flush()
        sys.stderr.flush()
        log = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.close(log)
        os.close(nothing)


def _log_as_json() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logs.JsonLines("model"))
    logging.getLogger().handlers[:] = [handler]


def _next(tasks: Any) -> RunTask | LoadTask | None:
    try:
        task = pickle.load(tasks)
    except EOFError:
        return None
    return task if isinstance(task, RunTask | LoadTask) else None
