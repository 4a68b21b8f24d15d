"""The gateway's line to the core: gRPC channels that mend themselves, and a deadline on every call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped,unused-ignore]

from generated.segint.v1 import operations_pb2 as operations
from generated.segint.v1 import segmentation_pb2 as segmentation
from generated.segint.v1.operations_pb2_grpc import OperationsStub
from generated.segint.v1.segmentation_pb2_grpc import SegmentationStub
from segint_grpc import errors, logs
from segint_grpc.home import Home, unix_target
from segint_grpc.networks import parse_address
from segint_grpc.settings import MIB, Settings
from segint_grpc.tls.identity import core_files, read

Question = TypeVar("Question")
Answer = TypeVar("Answer")

ANSWER_DEADLINE_S = 30.0
TRANSFER_DEADLINE_S = 1200.0
"""For a whole upload or download: as long as Velocity waits for a job."""
WATCH_DEADLINE_S = 3600.0
PROBE_DEADLINE_S = 5.0

SEGMENTATION_SERVICE = "segint.v1.Segmentation"

CHANNEL_OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", 64 * MIB),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
"""A restarted core is found within a second; a proxy meant for the web is never asked for it."""

SubmitCall = grpc.aio.StreamUnaryCall[segmentation.SubmitRequest, segmentation.SubmitResponse]
ResultCall = grpc.aio.UnaryStreamCall[segmentation.GetResultRequest, segmentation.GetResultResponse]
JobsCall = grpc.aio.UnaryStreamCall[segmentation.WatchJobsRequest, segmentation.WatchJobsResponse]
WatchCall = grpc.aio.UnaryStreamCall[segmentation.WatchProgressRequest, segmentation.WatchProgressResponse]


def core_target(settings: Settings) -> str:
    """Return the gRPC target of the core: the one that is set, else the gateway's socket in the home."""
    return settings.core or unix_target(Home(settings.home_path).gateway_socket)


Metadata = tuple[tuple[str, str], ...]
"""What goes with a call: see `exchange.Exchange.metadata`."""


def core_credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """Return what a core on another machine is known by, and what the gateway shows it; None without TLS.

    Raises:
        InvalidSetting: a file is of no use.
        StartRefused: the core is on another machine, and scans would go there for everybody to read.
    """
    files = core_files(settings)
    if files is not None:
        identity = read(files)
        key, chain = identity.key_pem or None, identity.chain_pem or None
        return grpc.ssl_channel_credentials(identity.authority_pem, key, chain)
    if settings.core and not _is_here(settings.core):
        raise errors.StartRefused(
            f"core {settings.core} is on another machine; set core_ca, core_certificate and core_key, so "
            "that the line to it is encrypted and each knows the other (segint certs client NAME --gateway)."
        )
    return None


def _is_here(target: str) -> bool:
    """Tell whether the gRPC target is a unix socket or a loopback address."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    host = target.rpartition("/")[2].removeprefix("ipv4:").removeprefix("ipv6:").rpartition(":")[0]
    address = parse_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


class Core:
    """The core's services. Every call may raise grpc.aio.AioRpcError."""

    def __init__(self, target: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        """Prepare channels to `target` (gRPC naming, for instance `unix:/path` or `host:port`).

        `credentials` are for TLS; without them nothing is encrypted.

        News have one of their own: they wait for no upload, and while they wait for a core that is away no
        other call is refused on account of a connection that they have just tried in vain.
        """
        self._channel = _channel(target, credentials)
        self._news_channel = _channel(target, credentials)
        self.segmentation = SegmentationStub(self._channel)
        self._news = SegmentationStub(self._news_channel)
        self._operations = OperationsStub(self._channel)
        self._check: grpc.aio.UnaryUnaryMultiCallable[Any, Any] = self._channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )

    async def close(self) -> None:
        """End every call and the connections."""
        await self._channel.close()
        await self._news_channel.close()

    async def ask(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Question, Answer],
        request: Question,
        metadata: Metadata,
        deadline_s: float = ANSWER_DEADLINE_S,
    ) -> Answer:
        """Return the answer of one of the `segmentation` stub's unary methods."""
        return await method(request, timeout=deadline_s, metadata=metadata)

    def submit(self, metadata: Metadata) -> SubmitCall:
        """Start an upload."""
        return self.segmentation.Submit(timeout=TRANSFER_DEADLINE_S, metadata=metadata)

    def result(self, request: segmentation.GetResultRequest, metadata: Metadata) -> ResultCall:
        """Start a download."""
        return self.segmentation.GetResult(request, timeout=TRANSFER_DEADLINE_S, metadata=metadata)

    def watch(self, request: segmentation.WatchProgressRequest, metadata: Metadata) -> WatchCall:
        """Start to watch a job."""
        return self.segmentation.WatchProgress(request, timeout=WATCH_DEADLINE_S, metadata=metadata)

    def watch_jobs(self, request_id: str) -> JobsCall:
        """Start to watch every job and the models; a core that is away is waited for."""
        return self._news.WatchJobs(
            segmentation.WatchJobsRequest(),
            timeout=WATCH_DEADLINE_S,
            metadata=_own(request_id),
            wait_for_ready=True,
        )

    async def figures(self, request_id: str) -> operations.GetFiguresResponse:
        """Return what the core counts."""
        request = operations.GetFiguresRequest()
        return await self.ask(self._operations.GetFigures, request, _own(request_id), PROBE_DEADLINE_S)

    async def serving(self, request_id: str) -> bool:
        """Tell whether the core says (grpc.health.v1) that a job posted now would run."""
        request = health_pb2.HealthCheckRequest(service=SEGMENTATION_SERVICE)
        answer = await self.ask(self._check, request, _own(request_id), PROBE_DEADLINE_S)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _channel(target: str, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
    return grpc.aio.secure_channel(target, credentials, options=CHANNEL_OPTIONS)


def _own(request_id: str) -> Metadata:
    """Return what goes with a call that the gateway makes for itself."""
    return ((logs.REQUEST_ID_METADATA, request_id),)
