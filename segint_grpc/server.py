"""The core as a process: builds everything, bottom up, and takes it down in reverse.

Order of the end: health says NOT_SERVING, watchers end, the doors close, slots put their jobs back into the
queue, then the store closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from generated.segint.v1 import (
    access_pb2_grpc,
    audit_pb2_grpc,
    jobs_pb2_grpc,
    models_pb2_grpc,
    operations_pb2_grpc,
    segmentation_pb2_grpc,
)
from segint_grpc import lifeline, networks
from segint_grpc.api import doors, reflection, transport
from segint_grpc.api.access import AccessServicer
from segint_grpc.api.audit import AuditServicer
from segint_grpc.api.auditing import Auditor
from segint_grpc.api.doorkeeper import Doorkeeper
from segint_grpc.api.jobs import JobsServicer
from segint_grpc.api.models import ModelsServicer
from segint_grpc.api.operations import OperationsServicer
from segint_grpc.api.peer_certificates import is_trusted_gateway
from segint_grpc.api.segmentation import SegmentationServicer
from segint_grpc.domain.access import Door
from segint_grpc.home import Home
from segint_grpc.service.audit_forwarding import Forwarding
from segint_grpc.service.audit_reading import AuditReading
from segint_grpc.service.backups import Backups
from segint_grpc.service.job_administration import JobAdministration
from segint_grpc.service.job_statistics import Statistics
from segint_grpc.service.opinions import Opinions
from segint_grpc.service.services import Services, going_on, services
from segint_grpc.service.throttle import Throttle
from segint_grpc.settings import Settings
from segint_grpc.store.store import open_store
from segint_grpc.tls.identity import server_files
from segint_grpc.tls.watched import Watched
from segint_grpc.worker.fork_server import ForkServer
from segint_grpc.worker.pool import PoolOptions, WorkerPool

log = logging.getLogger(__name__)

SEGMENTATION = "segint.v1.Segmentation"
READINESS_INTERVAL_S = 0.5


def run(settings: Settings, home: Home, forks: ForkServer, ready_fd: int | None = None) -> int:
    """Run the core until SIGTERM or SIGINT; return the process's exit code.

    Raises:
        StartRefused: an address is in use, or the home cannot be used.
        NewerSchema: the database was written by a newer release.
    """
    asyncio.run(_run(settings, home, forks, ready_fd))
    return 0


async def _run(settings: Settings, home: Home, forks: ForkServer, ready_fd: int | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with core(settings, home, forks) as facts:
        with contextlib.suppress(BrokenPipeError):
            # Whoever waited has gone, and stops this process next.
            lifeline.announce_ready(ready_fd, facts)
        log.info("the core answers", extra=facts)
        await stop.wait()
        log.info("the core stops")


@asynccontextmanager
async def core(settings: Settings, home: Home, forks: ForkServer) -> AsyncIterator[dict[str, str]]:
    """Serve while the context lasts; gives the addresses that it answers on."""
    networks.check_exposure(settings, "grpc", networks.parse_endpoint(settings.grpc, "grpc")[0])
    async with AsyncExitStack() as stack:
        store = stack.enter_context(open_store(home))
        options = PoolOptions.of(settings, home)
        pool = await stack.enter_async_context(WorkerPool(forks, options))
        running = await stack.enter_async_context(services(settings, store, pool))
        if settings.audit_syslog:
            forwarding = Forwarding(store, settings.audit_syslog)
            await stack.enter_async_context(going_on(forwarding.run()))
        checker = health.HealthServicer()
        facts = await _open_doors(stack, running, home, _registered(running, pool, checker, home))
        stack.callback(running.context.board.close)
        stack.push_async_callback(checker.enter_graceful_shutdown)
        await stack.enter_async_context(going_on(_tell_readiness(checker, pool)))
        running.dispatcher.start(options.slots)
        yield facts


def _registered(
    running: Services, pool: WorkerPool, checker: health.HealthServicer, home: Home
) -> list[doors.Registered]:
    context = running.context
    segmentation = SegmentationServicer(
        running.submissions, running.jobs, running.models, running.credentials, context
    )
    models = ModelsServicer(running.models, running.jobs, running.runs, Statistics(context))
    administration = JobAdministration(
        context, running.jobs, running.submissions, running.dispatcher, running.outlook
    )
    jobs = JobsServicer(administration, Opinions(context), context.hop)
    audit = AuditServicer(AuditReading(context))
    operations = OperationsServicer(context, running.dispatcher, pool.loaded, Backups(context, home))
    adders: dict[str, Callable[[grpc.aio.Server], None]] = {
        SEGMENTATION: partial(segmentation_pb2_grpc.add_SegmentationServicer_to_server, segmentation),
        "segint.v1.Models": partial(models_pb2_grpc.add_ModelsServicer_to_server, models),
        "segint.v1.Jobs": partial(jobs_pb2_grpc.add_JobsServicer_to_server, jobs),
        "segint.v1.Operations": partial(operations_pb2_grpc.add_OperationsServicer_to_server, operations),
        "segint.v1.Audit": partial(audit_pb2_grpc.add_AuditServicer_to_server, audit),
        "segint.v1.Access": partial(
            access_pb2_grpc.add_AccessServicer_to_server,
            AccessServicer(running.credentials, running.users, context.store.now),
        ),
        "grpc.health.v1.Health": partial(health_pb2_grpc.add_HealthServicer_to_server, checker),
    }
    return [doors.Registered(name, add_to) for name, add_to in adders.items()]


async def _open_doors(
    stack: AsyncExitStack, running: Services, home: Home, registered: list[doors.Registered]
) -> dict[str, str]:
    """Bind and start every door; at the context's end they close before anything below them."""
    settings = running.context.settings
    everything = [*registered, *reflection.services([service.name for service in registered])]
    throttle = Throttle(settings.bad_tokens_max, settings.bad_token_pause_s)
    secured, servers = _credentials(settings), dict[Door, grpc.aio.Server]()
    auditor = Auditor(running.audit)
    for door in Door:
        encrypted = secured is not None
        keeper = Doorkeeper(door, settings, running.credentials, throttle, encrypted, is_trusted_gateway)
        served = [s for s in everything if door is not Door.GATEWAY_SOCKET or s.name in doors.FOR_GATEWAY]
        servers[door] = doors.build_door(served, keeper, transport.limits_of(door, settings), auditor)
    address = doors.bind_tcp(servers[Door.TCP], settings.grpc, secured)
    doors.bind_unix(servers[Door.ADMIN_SOCKET], home.admin_socket)
    doors.bind_unix(servers[Door.GATEWAY_SOCKET], home.gateway_socket)
    for server in servers.values():
        await server.start()
    stack.push_async_callback(_close_doors, list(servers.values()), settings.stop_grace_s)
    return {"grpc": address, "socket": str(home.admin_socket)}


def _credentials(settings: Settings) -> grpc.ServerCredentials | None:
    files = server_files(settings)
    return transport.server_credentials(Watched(files)) if files else None


async def _close_doors(servers: list[grpc.aio.Server], grace_s: float) -> None:
    await asyncio.gather(*(server.stop(grace_s) for server in servers))


async def _tell_readiness(checker: health.HealthServicer, pool: WorkerPool) -> None:
    """Keep health in step with whether a worker can run."""
    status = health_pb2.HealthCheckResponse.ServingStatus
    await checker.set("", status.SERVING)
    while True:
        await checker.set(SEGMENTATION, status.SERVING if pool.ready() else status.NOT_SERVING)
        await asyncio.sleep(READINESS_INTERVAL_S)
