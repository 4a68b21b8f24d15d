"""What the shell offers for a word that is being typed: ids that a running server knows.

A completion says nothing when it cannot ask: there may be no server, and the shell waits at a prompt.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from contextlib import suppress

import click

from generated.segint.v1 import jobs_pb2
from segint_grpc import errors
from segint_grpc.cli.options import chosen_place, chosen_token
from segint_grpc.client.access import Access
from segint_grpc.client.administration import Administration
from segint_grpc.client.job_administration import JobAdministration

JOBS_MAX = 50
"""The newest jobs are offered, so many."""


def version_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the versions of the home's server."""
    with suppress(errors.SegIntError), Administration(chosen_place(ctx.params.get("home"), ctx)) as server:
        families = server.families()
        return _fitting(
            (version.version_id for family in families for version in family.versions), incomplete
        )
    return []


def family_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the families of the home's server."""
    with suppress(errors.SegIntError), Administration(chosen_place(ctx.params.get("home"), ctx)) as server:
        return _fitting((family.family.CanonicalName for family in server.families()), incomplete)
    return []


def job_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the newest jobs of the home's server."""
    with suppress(errors.SegIntError), JobAdministration(chosen_place(ctx.params.get("home"), ctx)) as server:
        newest = itertools.islice(server.jobs(jobs_pb2.JobFilter()), JOBS_MAX)
        return _fitting((summary.job.segmentation_id for summary in newest), incomplete)
    return []


def token_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the tokens that count, with what they are for left out: some shells show ids alone."""
    with suppress(errors.SegIntError), Access(chosen_place(ctx.params.get("home"), ctx)) as server:
        return _fitting((token.id for token in server.tokens() if token.valid), incomplete)
    return []


def user_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the users of the home's server."""
    with suppress(errors.SegIntError), Access(chosen_place(ctx.params.get("home"), ctx)) as server:
        return _fitting((user.name for user in server.users()), incomplete)
    return []


def offered_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the versions that the server of `--server` offers."""
    # Over HTTP; this is not loaded for what asks the socket.
    from segint_grpc.client.trial_job import offered_by

    with suppress(errors.SegIntError):
        offered = asyncio.run(offered_by(str(ctx.params.get("server")), chosen_token(ctx)))
        return _fitting((v.ID for family in offered.Models for v in family.ModelVersions), incomplete)
    return []


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
