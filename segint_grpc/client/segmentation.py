"""One segmentation from the client's side, leg by leg: upload, queue, run, download."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping
from typing import Protocol

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.client.events import JobEvent
from segint_grpc.client.request import RequestBody, build_request
from segint_grpc.client.scan import Scan
from segint_grpc.client.velocity import VelocityClient

ANSWER_AFTER_CANCEL_S = 10.0
NOT_SENT = "The scan was not sent to its end, so the server has no job of it."


class Watcher(Protocol):
    """Is told how a segmentation goes; its methods return at once."""

    def leg(self, name: str) -> None:
        """Begin a leg and end the one before it: read, upload, queue, run, download or write."""

    def bytes_passed(self, passed: int, total: int | None) -> None:
        """Take note of how many bytes have been sent or received in this leg."""

    def job(self, event: JobEvent) -> None:
        """Take note of something new that the server says of the job."""

    def interrupted(self, sentence: str) -> None:
        """Tell the user, who broke off, what became of the job."""


def choose_version(
    offered: Model_pb2.ModelsCollection, model_id: str
) -> tuple[Model_pb2.ModelFamily, Model_pb2.ModelVersion]:
    """Return the version `model_id` with its family; "" chooses the only one that there is.

    Raises:
        UnknownModel: there is no such version, or several and none was named; names them all.
    """
    versions = {
        version.ID: (family, version) for family in offered.Models for version in family.ModelVersions
    }
    if model_id in versions:
        return versions[model_id]
    if not versions:
        raise errors.UnknownModel("The server offers no model.")
    if not model_id and len(versions) == 1:
        return next(iter(versions.values()))
    listing = "\n".join(f"  {name}" for name in versions)
    if not model_id:
        raise errors.UnknownModel(f"The server offers several models; choose one with --model:\n{listing}")
    near = difflib.get_close_matches(model_id, versions, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise errors.UnknownModel(f"The server offers no model {model_id!r}.{hint} It offers:\n{listing}")


def assign_channels(family: Model_pb2.ModelFamily, main: Scan, others: Mapping[str, Scan]) -> dict[str, Scan]:
    """Return the scan of each of the family's input channels, in the family's order.

    Args:
        family: the model's family.
        main: the scan for the one channel that `others` does not name.
        others: scans by ChannelID.

    Raises:
        UnusableInput: the scans do not fill the channels; names both sides.
    """
    expected = [channel.ChannelID for channel in family.FamilyDescription.InputChannels]
    free = [channel_id for channel_id in expected if channel_id not in others]
    if len(free) != 1 or not others.keys() <= set(expected):
        named = ", ".join(sorted(others)) or "none"
        raise errors.UnusableInput(
            f"The model takes the channels {', '.join(expected) or '(none)'}; given were one scan and, with "
            f"--channel, {named}. Name every channel but one with --channel ID=PATH."
        )
    scans = {free[0]: main, **others}
    return {channel_id: scans[channel_id] for channel_id in expected}


async def segment(
    client: VelocityClient, model_id: str, scans: Mapping[str, Scan], watcher: Watcher
) -> Model_pb2.ModelOutput:
    """Send `scans` (by ChannelID, in the family's order), wait, and return the result.

    Cancelling this coroutine cancels the job on the server first, and tells the watcher.

    Raises:
        ServerRefused, Unavailable, JobFailure: as `VelocityClient` raises them.
    """
    watcher.leg("upload")
    body = await asyncio.to_thread(build_request, list(scans.items()))
    job_id = await _post(client, model_id, body, watcher)
    del body
    try:
        return await _wait_and_fetch(client, model_id, job_id, watcher)
    except asyncio.CancelledError:
        watcher.interrupted(await _cancel(client, model_id, job_id))
        raise


async def _post(client: VelocityClient, model_id: str, body: RequestBody, watcher: Watcher) -> str:
    """Upload; where the user breaks off once all is sent, the job that the answer names is cancelled."""
    all_sent = False

    def sent(passed: int, total: int | None) -> None:
        nonlocal all_sent
        all_sent = passed == total
        watcher.bytes_passed(passed, total)

    posting = asyncio.create_task(client.post(model_id, body, sent))
    try:
        return await asyncio.shield(posting)
    except asyncio.CancelledError:
        watcher.interrupted(await _cancel_when_known(client, model_id, posting) if all_sent else NOT_SENT)
        raise
    finally:
        posting.cancel()


async def _cancel_when_known(client: VelocityClient, model_id: str, posting: asyncio.Task[str]) -> str:
    try:
        async with asyncio.timeout(ANSWER_AFTER_CANCEL_S):
            job_id = await posting
    except (TimeoutError, errors.SegIntError):
        return "The scan was sent, but the server did not answer; it may still work on the job."
    return await _cancel(client, model_id, job_id)


async def _cancel(client: VelocityClient, model_id: str, job_id: str) -> str:
    if await client.cancel(model_id, job_id):
        return f"The job {job_id} was cancelled."
    return f"The server could not be told to cancel the job {job_id}; it may still work on it."


async def _wait_and_fetch(
    client: VelocityClient, model_id: str, job_id: str, watcher: Watcher
) -> Model_pb2.ModelOutput:
    started = False

    def report(event: JobEvent) -> None:
        nonlocal started
        if event.started and not started:
            started = True
            watcher.leg("run")
        watcher.job(event)

    watcher.leg("queue")
    await client.follow(model_id, job_id, report)
    watcher.leg("download")
    return await client.result(model_id, job_id, watcher.bytes_passed)
