"""What the gateway counts itself: requests, how long they take, bytes; and its own process."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_METHODS = frozenset({"GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"})
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The gateway's figures in a registry of their own."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "segint_http_requests",
            "HTTP requests that were answered",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "segint_http_request_seconds",
            "From a request's headers to the end of its answer",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._received = Counter(
            "segint_http_received_bytes", "Bytes of request bodies", registry=self.registry
        )
        self._sent = Counter(
            "segint_http_sent_bytes", "Bytes of answers, headers included", registry=self.registry
        )
        self.in_progress = Gauge(
            "segint_http_requests_in_progress", "HTTP requests being answered", registry=self.registry
        )

        self.connections = Gauge("segint_http_connections", "HTTP connections", registry=self.registry)
        self.turned_away = Counter(
            "segint_http_connections_turned_away",
            "Connections that a limit cost: the new one, or an idle one that made room for it",
            ("limit", "which"),
            registry=self.registry,
        )
        self.timed_out = Counter(
            "segint_http_timeouts",
            "Requests given up because too little came",
            ("part",),
            registry=self.registry,
        )

    def tell_end(self, ends_at_s: Callable[[], float]) -> None:
        """Tell when the certificate ends, in seconds since 1970, as `ends_at_s` says at the time."""
        text = "When the certificate of the port with TLS ends, in seconds since 1970"
        Gauge("segint_tls_certificate_end_seconds", text, registry=self.registry).set_function(ends_at_s)

    def count(
        self, route: str, method: str, status: int, seconds: float, received_bytes: int, sent_bytes: int
    ) -> None:
        """Count one answer. `route` is a path of the route table, so that a scan of paths makes no series."""
        method = method if method in _METHODS else "other"
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        self._received.inc(received_bytes)
        self._sent.inc(sent_bytes)

    def expose(self) -> bytes:
        """Return the figures in Prometheus' text format."""
        return generate_latest(self.registry)
