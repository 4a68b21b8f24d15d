"""Every route of the gateway, in one table. /openapi.json is made from it."""

from __future__ import annotations

import logging

from generated.radiomics import Model_pb2
from http_gateway import catalog, events, operations, opinions, segmentation
from http_gateway.answers import TEXT
from http_gateway.figures import CONTENT_TYPE
from http_gateway.negotiation import JSON
from http_gateway.routing import Needs, Route

_JOB = "/api/v2/Model/{model}/segmentation/{id}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/ping", catalog.ping, "Which interface this is.", Model_pb2.ApiInformation),
    Route("GET", "/api/ping", catalog.ping, "Which interface this is.", Model_pb2.ApiInformation),
    Route("GET", "/api/v2/Credits", catalog.credit, "Credits, which do not apply here.", Model_pb2.Credits),
    Route(
        "GET",
        "/api/v2/VendorStatus",
        catalog.vendor_status,
        "Who runs this server and where it takes scans.",
        Model_pb2.VendorStatus,
    ),
    Route(
        "GET",
        "/api/v2/Model/",
        catalog.models,
        "Every model family that can be run, oldest first.",
        Model_pb2.ModelsCollection,
    ),
    Route(
        "POST",
        "/api/v2/Model/{model}/segmentation",
        segmentation.post,
        "Post a scan; the answer names the job.",
        Model_pb2.SegmentationTask,
        body=Model_pb2.ModelInput,
    ),
    Route(
        "GET",
        _JOB,
        segmentation.progress,
        "How far a job is: it has ended when Progress is 100 or Errors is not empty.",
        Model_pb2.SegmentationProgress,
        log_level=logging.DEBUG,  # clients ask several times a second, and would push the rest out of the log
    ),
    Route("DELETE", _JOB, segmentation.cancel, "Cancel a job.", Model_pb2.SegmentationProgress),
    Route(
        "GET",
        f"{_JOB}/result",
        segmentation.result,
        "One mask for each structure, readable until its retention ends.",
        Model_pb2.ModelOutput,
    ),
    Route(
        "GET",
        f"{_JOB}/events",
        events.events,
        "A job's progress as events, until it has ended.",
        events.EVENT_STREAM,
    ),
    Route(
        "POST",
        "/api/v2/Feedback/segmentation",
        opinions.feedback,
        "Keep a user's opinion of a result.",
        TEXT,
        body=Model_pb2.SegmentationFeedback,
        body_max_bytes=opinions.OPINION_MAX_BYTES,
    ),
    Route(
        "POST",
        "/api/v2/Telemetry/segmentation",
        opinions.telemetry,
        "Keep how a job went on the client's side.",
        TEXT,
        body=Model_pb2.SegmentationTelemetry,
        body_max_bytes=opinions.OPINION_MAX_BYTES,
    ),
    Route("GET", "/healthz", operations.alive, "Whether this process answers.", JSON, needs=Needs.HEALTH),
    Route(
        "GET",
        "/readyz",
        operations.ready,
        "Whether a job posted now would run; 503 where not.",
        JSON,
        needs=Needs.HEALTH,
    ),
    Route(
        "GET", "/metrics", operations.metrics, "Figures for Prometheus.", CONTENT_TYPE, needs=Needs.METRICS
    ),
    Route("GET", "/openapi.json", operations.openapi, "This description.", JSON, needs=Needs.HEALTH),
)
