"""The core's figures in Prometheus' text format."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from generated.segint.v1 import job_pb2
from generated.segint.v1 import operations_pb2 as pb

log = logging.getLogger(__name__)

CONTENT_TYPE = CONTENT_TYPE_LATEST


def expose(figures: pb.GetFiguresResponse | None) -> bytes:
    """Return `figures` as text; None means that the core could not be asked."""
    registry = CollectorRegistry()
    registry.register(_Figures(figures))
    return generate_latest(registry)


class _Figures(Collector):
    """One answer of the core, as metrics."""

    def __init__(self, figures: pb.GetFiguresResponse | None) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        figures = self._figures
        yield GaugeMetricFamily("segint_core_up", "1 where the core answered", value=figures is not None)
        if figures is None:
            return
        yield _jobs(figures)
        yield GaugeMetricFamily("segint_queue_length", "Jobs that wait", value=figures.queue_length)
        yield GaugeMetricFamily("segint_slots", "Jobs that can run at a time", value=figures.slots)
        yield GaugeMetricFamily("segint_slots_busy", "Jobs that run", value=figures.slots_busy)
        yield _stages(figures)
        yield CounterMetricFamily(
            "segint_received_bytes", "Bytes of scans since the core started", value=figures.bytes_received
        )
        yield CounterMetricFamily(
            "segint_sent_bytes", "Bytes of results since the core started", value=figures.bytes_sent
        )


def _jobs(figures: pb.GetFiguresResponse) -> Metric:
    family = GaugeMetricFamily("segint_jobs", "Jobs by model and state", labels=("model", "state"))
    for entry in figures.jobs:
        state = job_pb2.JobState.Name(entry.state).removeprefix("JOB_STATE_").lower()
        family.add_metric((entry.model_id, state), entry.count)
    return family


def _stages(figures: pb.GetFiguresResponse) -> Metric:
    family = HistogramMetricFamily("segint_stage_seconds", "How long a job's stages took", labels=("stage",))
    for entry in figures.stages:
        buckets = [(f"{bucket.upper_s:g}", float(bucket.count)) for bucket in entry.buckets]
        family.add_metric((entry.stage,), [*buckets, ("+Inf", float(entry.count))], entry.sum_s)
    return family
