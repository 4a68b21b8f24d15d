"""What a back end has to say of a run beside its masks: it becomes a warning in the job's timeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

SENTENCES_MAX = 10
SENTENCE_MAX = 300


@dataclass
class Remarks:
    """What was said during one run; `spent`: this process should run nothing more; `device`: where it ran."""

    sentences: list[str] = field(default_factory=list)
    spent: bool = False
    device: str = ""


_heard: ContextVar[Remarks | None] = ContextVar("remarks", default=None)


@contextmanager
def heard() -> Iterator[Remarks]:
    """Collect what is remarked while the context lasts."""
    remarks = Remarks()
    token = _heard.set(remarks)
    try:
        yield remarks
    finally:
        _heard.reset(token)


def computes_on(device: str) -> None:
    """Say where the model computes from now on: "cpu", "cuda:0"."""
    remarks = _heard.get()
    if remarks is not None:
        remarks.device = device


def device() -> str:
    """Return where the model computes, as it was said of the present run; empty where nobody has."""
    remarks = _heard.get()
    return remarks.device if remarks is not None else ""


def remark(sentence: str, *, spent: bool = False) -> None:
    """Say `sentence` of the present run, once however often it is said; no patient data may be in it.

    `spent` has the process end after the run, for when it holds what cannot be given back otherwise.
    """
    remarks = _heard.get()
    if remarks is None:
        return
    remarks.spent = remarks.spent or spent
    if sentence not in remarks.sentences and len(remarks.sentences) < SENTENCES_MAX:
        remarks.sentences.append(sentence[:SENTENCE_MAX])
