"""segint.v1.Operations as an operator uses it."""

from __future__ import annotations

from generated.segint.v1 import operations_pb2
from generated.segint.v1.operations_pb2_grpc import OperationsStub
from segint_grpc.client.connection import Connection, Place

DEADLINE_S = 10.0


class Operations(Connection):
    """A connection to one server for its figures; raises as `Connection` says."""

    def __init__(self, place: Place) -> None:
        """Prepare to talk to the server at `place`."""
        super().__init__(place)
        self._operations = OperationsStub(self._channel)

    def figures(self) -> operations_pb2.GetFiguresResponse:
        """Return what runs, waits and is loaded now."""
        with self._told():
            return self._operations.GetFigures(operations_pb2.GetFiguresRequest(), timeout=DEADLINE_S)
