"""Every service of one core, built bottom up on a store and a pool, and taken down in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from segint_grpc.guests.outside import hang_up
from segint_grpc.service.audit_log import AuditLog
from segint_grpc.service.changes import Changes
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.credentials import USES_EVERY, Credentials
from segint_grpc.service.dispatcher import Dispatcher
from segint_grpc.service.gate import Gate
from segint_grpc.service.hop import Hop
from segint_grpc.service.housekeeping import Housekeeping
from segint_grpc.service.jobs import Jobs
from segint_grpc.service.memory_fit import MemoryFit
from segint_grpc.service.models import Models
from segint_grpc.service.outlook import Outlook
from segint_grpc.service.remotes import remote_rules
from segint_grpc.service.submission import Submissions
from segint_grpc.service.time_fit import TimeFit
from segint_grpc.service.unpacking import Unpacking
from segint_grpc.service.users import Users
from segint_grpc.service.version_runs import VersionRuns
from segint_grpc.settings import Settings
from segint_grpc.store.store import Store
from segint_grpc.worker.pool import WorkerPool


@dataclass(frozen=True)
class Services:
    """What transports call. Jobs run from `dispatcher.start` on."""

    context: ServiceContext
    models: Models
    runs: VersionRuns
    submissions: Submissions
    jobs: Jobs
    dispatcher: Dispatcher
    audit: AuditLog
    credentials: Credentials
    users: Users
    outlook: Outlook


@asynccontextmanager
async def services(settings: Settings, store: Store, pool: WorkerPool) -> AsyncIterator[Services]:
    """Give the services, with the jobs taken up that an earlier core left unfinished.

    `pool` must be open. At the end running jobs go back into the queue; nothing may call the services then.
    """
    async with AsyncExitStack() as stack:
        context = ServiceContext(store, stack.enter_context(Hop("segint-store")), settings)
        stack.callback(hang_up)
        audit = AuditLog(store)
        stack.push_async_callback(audit.close)

        async def unload(version_id: str) -> None:
            await pool.forget(version_id)
            context.history.forget(version_id)

        changes = Changes(unload, context.board.publish_models)
        rules = remote_rules(settings)
        models = Models(store, context.hop, changes, rules, settings.interpreter_paths)
        await models.add_sample_family()
        work = asyncio.Event()
        unpacking = Unpacking(context, work.set)
        stack.push_async_callback(unpacking.close)
        dispatcher = Dispatcher(context, models, pool, unpacking, work)
        stack.push_async_callback(dispatcher.stop)
        memory = MemoryFit(pool.options.memory_bytes, settings.voxels_max)
        outlook = Outlook(context, lambda: dispatcher.slots, partial(_loaded, pool))
        submissions = Submissions(context, models, unpacking, memory, TimeFit(context, outlook))
        stack.callback(submissions.close)
        housekeeping = Housekeeping(context, models, unpacking, dispatcher, work)
        await housekeeping.take_up()
        await stack.enter_async_context(going_on(housekeeping.run()))
        runs = VersionRuns(context, models, pool, Gate(context, pool))
        credentials = await stack.enter_async_context(_credentials(context))
        users = Users(context)
        stack.callback(users.close)
        jobs = Jobs(context, dispatcher, outlook)
        yield Services(
            context, models, runs, submissions, jobs, dispatcher, audit, credentials, users, outlook
        )


@asynccontextmanager
async def _credentials(context: ServiceContext) -> AsyncIterator[Credentials]:
    """Give the tokens' keeper; their last uses are written now and then, and at the end."""
    credentials = Credentials(context)
    await credentials.load()

    async def write_uses() -> None:
        while True:
            await asyncio.sleep(USES_EVERY.total_seconds())
            await credentials.write_uses()

    async with going_on(write_uses()):
        yield credentials
    await credentials.write_uses()


def _loaded(pool: WorkerPool) -> list[str]:
    return [model.version_id for model in pool.loaded()]


@asynccontextmanager
async def going_on(chore: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Let `chore` go on beside the context, and cancel it at its end."""
    task = asyncio.create_task(chore)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
