from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from generated.segint.v1 import job_pb2
from generated.segint.v1 import operations_pb2 as pb
from http_gateway.figures import expose
from http_gateway.metrics import Metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: bytes) -> Samples:
    families = text_string_to_metric_families(text.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_core_s_figures_become_metrics() -> None:
    stage = pb.StageDuration(
        stage="infer",
        count=3,
        sum_s=4.5,
        buckets=[pb.Bucket(upper_s=0.5, count=1), pb.Bucket(upper_s=10, count=2)],
    )
    found = samples(
        expose(
            pb.GetFiguresResponse(
                jobs=[pb.JobCount(model_id="m 1", state=job_pb2.JOB_STATE_RUNNING, count=2)],
                queue_length=7,
                stages=[stage],
                slots=4,
                slots_busy=2,
                bytes_received=10,
                bytes_sent=20,
            )
        )
    )
    assert found["segint_core_up", ()] == 1
    assert found["segint_jobs", (("model", "m 1"), ("state", "running"))] == 2
    assert found["segint_queue_length", ()] == 7
    assert (found["segint_slots", ()], found["segint_slots_busy", ()]) == (4, 2)
    assert found["segint_received_bytes_total", ()] == 10
    assert found["segint_sent_bytes_total", ()] == 20
    assert found["segint_stage_seconds_bucket", (("le", "0.5"), ("stage", "infer"))] == 1
    assert found["segint_stage_seconds_bucket", (("le", "10"), ("stage", "infer"))] == 2
    assert found["segint_stage_seconds_bucket", (("le", "+Inf"), ("stage", "infer"))] == 3
    assert found["segint_stage_seconds_sum", (("stage", "infer"),)] == 4.5


def test_a_core_that_is_away_is_a_figure_too() -> None:
    assert samples(expose(None)) == {("segint_core_up", ()): 0}


def test_requests_are_counted_by_route_method_and_status() -> None:
    metrics = Metrics()
    metrics.count("/ping", "GET", 200, 0.01, 0, 10)
    metrics.count("/ping", "GET", 200, 0.02, 5, 10)
    metrics.count("unknown", "BREW", 404, 0.01, 0, 0)
    found = samples(metrics.expose())
    labels = (("method", "GET"), ("route", "/ping"), ("status", "200"))
    assert found["segint_http_requests_total", labels] == 2
    other = (("method", "other"), ("route", "unknown"), ("status", "404"))
    assert found["segint_http_requests_total", other] == 1
    assert found["segint_http_request_seconds_count", (("route", "/ping"),)] == 2
    assert found["segint_http_received_bytes_total", ()] == 5
    assert found["segint_http_sent_bytes_total", ()] == 20
