"""What every service of one core shares."""

from __future__ import annotations

from dataclasses import dataclass, field

from segint_grpc.service.board import Board
from segint_grpc.service.figures import Figures
from segint_grpc.service.hop import Hop
from segint_grpc.settings import Settings
from segint_grpc.store.store import Store


@dataclass(frozen=True)
class ServiceContext:
    """The store, the way to it, the board of changes, the counters and the settings."""

    store: Store
    hop: Hop
    settings: Settings
    board: Board = field(default_factory=Board)
    figures: Figures = field(default_factory=Figures)
