"""What a user or a client said of a segmentation, as it was sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Opinion:
    """A serialized Radiomics.SegmentationFeedback or SegmentationTelemetry. UTC.

    `segmentation_id` is as it was sent; `model_id` is that of the job, empty where the job is not known here.
    `number` grows with every message.
    """

    number: int
    received_at: datetime
    segmentation_id: str
    model_id: str
    body: bytes
