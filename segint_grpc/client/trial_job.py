"""A small scan of nobody, sent as Velocity would, to see that a job runs from end to end."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from generated.radiomics import Model_pb2
from segint_grpc.client.masks import decode_masks
from segint_grpc.client.request import build_request
from segint_grpc.client.scan import Scan, frame_of
from segint_grpc.client.segmentation import choose_version
from segint_grpc.client.trust import Trust
from segint_grpc.client.velocity import VelocityClient
from segint_grpc.domain.geometry import Geometry

SHAPE_KJI = (32, 128, 128)
SPACING_XYZ_MM = (2.5, 2.5, 3.0)
PREFERRED = "Centered Orange Square"
"""The model of an empty home, which takes any scan and no time."""
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Trial:
    """How a trial went: for which version, as which job, in which time (s), with how many masks."""

    model_id: str
    job_id: str
    spent_s: float
    masks: int


async def offered_by(url: str, token: str = "", trust: Trust | None = None) -> Model_pb2.ModelsCollection:
    """Return what the server at `url` offers; raises as `VelocityClient`."""
    async with VelocityClient(url, token=token, trust=trust) as client:
        return await client.models()


def trial_version(offered: Model_pb2.ModelsCollection, model_id: str) -> str:
    """Return the version to try: `model_id`, by default that of an empty home, else the first offered.

    Raises:
        UnknownModel: nothing is offered, or no `model_id`.
    """
    ids = [version.ID for family in offered.Models for version in family.ModelVersions]
    usual = PREFERRED if PREFERRED in ids else next(iter(ids), "")
    return choose_version(offered, model_id or usual)[1].ID


async def run_trial(
    url: str, offered: Model_pb2.ModelsCollection, model_id: str, token: str = "", trust: Trust | None = None
) -> Trial:
    """Send the scan of a box to `url` for every channel of the version `model_id`, and fetch the masks.

    Raises:
        ServerRefused, Unavailable, JobFailure: as `VelocityClient` raises them.
    """
    family, _ = choose_version(offered, model_id)
    scans = {channel.ChannelID: _box() for channel in family.FamilyDescription.InputChannels}
    began = time.monotonic()
    async with VelocityClient(url, token=token, patience_s=PATIENCE_S, trust=trust) as client:
        job_id = await client.post(model_id, build_request(list(scans.items())), lambda passed, total: None)
        await client.follow(model_id, job_id, lambda event: None)
        output = await client.result(model_id, job_id, lambda passed, total: None)
    masks = decode_masks(output, scans)
    return Trial(model_id, job_id, time.monotonic() - began, len(masks))


def _box() -> Scan:
    """Return a box of water in air, as a CT in HU."""
    image_kji = np.full(SHAPE_KJI, -1000, np.int16)
    image_kji[4:-4, 24:-24, 24:-24] = 0
    geometry = Geometry(
        shape_kji=SHAPE_KJI,
        spacing_xyz_mm=SPACING_XYZ_MM,
        x_axis=(1.0, 0.0, 0.0),
        y_axis=(0.0, 1.0, 0.0),
        z_axis=(0.0, 0.0, 1.0),
        origin_xyz_mm=(-160.0, -160.0, 0.0),
    )
    return Scan(image_kji, geometry, frame_of(geometry), "a box of water")
