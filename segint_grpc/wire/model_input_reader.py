"""Reads a serialized ModelInput while it arrives, and hands the volumes' Data on without keeping it."""

from __future__ import annotations

from typing import Protocol

from generated.radiomics import Model_pb2

MIB = 1024 * 1024


class DataSink(Protocol):
    """Takes the bytes of VolumeData3D.Data, still compressed, as they come off the wire."""

    def begin(self, channel: int, length: int, expected_bytes: int | None) -> None:
        """Begin a Data field of `length` bytes of the channel number `channel` (from 0).

        What came before for the same channel is void: the last Data wins. `expected_bytes` is what it
        should inflate to by the dimensions known so far; None while one of them is missing or zero.
        """

    def write(self, piece: memoryview) -> None:
        """Take the next bytes of the field; they stay unchanged for as long as they are referred to."""

    def end(self) -> None:
        """End the field: `length` bytes have been written."""


class ModelInputReader:
    """An incremental parser of one serialized ModelInput that accepts exactly what protobuf accepts."""

    def __init__(self, sink: DataSink, *, channels_max: int, rest_max_bytes: int = 4 * MIB) -> None:
        """Send Data to `sink`; take at most `channels_max` channels and `rest_max_bytes` outside Data."""
        raise NotImplementedError

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes, split anywhere; `chunk` must not change afterwards.

        Raises:
            UnparsableMessage: the bytes so far cannot begin a ModelInput.
            TooLarge: more channels, or more bytes outside Data, than allowed.
        """
        raise NotImplementedError

    def finish(self) -> Model_pb2.ModelInput:
        """Return the message, with every VolumeData3D.Data empty, once all bytes have been fed.

        Raises:
            UnparsableMessage: the bytes are no ModelInput.
        """
        raise NotImplementedError
