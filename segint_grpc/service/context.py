"""What every service of one core shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from segint_grpc.domain.progress import Position
from segint_grpc.service.board import Board
from segint_grpc.service.figures import Figures
from segint_grpc.service.hop import Hop
from segint_grpc.service.run_history import RunHistory
from segint_grpc.settings import Settings
from segint_grpc.store.store import Store


@dataclass(frozen=True)
class ServiceContext:
    """The store, the way to it, the board of changes, the counters, the settings, and how runs go.

    `positions` tells by a job's id where its run is, while there is one.
    """

    store: Store
    hop: Hop
    settings: Settings
    board: Board = field(default_factory=Board)
    figures: Figures = field(default_factory=Figures)
    positions: dict[str, Callable[[], Position]] = field(default_factory=dict)

    @cached_property
    def history(self) -> RunHistory:
        """What the runs of each version took and made."""
        return RunHistory(self.store, self.hop)
