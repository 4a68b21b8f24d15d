"""Who may come in over HTTP: a real gateway before a real core, in each client mode."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import grpc
import pytest

from generated.radiomics import Model_pb2
from generated.segint.v1 import access_pb2
from generated.segint.v1.access_pb2_grpc import AccessStub
from http_gateway.server import serve
from segint_grpc import errors
from segint_grpc.home import Home, unix_target
from segint_grpc.settings import Settings
from tests.fakes.core_bench import scan
from tests.fakes.cores import SAMPLE, RunningCore, running_core

MODELS = "/api/v2/Model/"
POST = f"/api/v2/Model/{quote(SAMPLE)}/segmentation"
PROXY = {"trusted_proxies": ("127.0.0.1",)}
BAD = f"segint_aaaaaaaa_{'b' * 43}"
PATIENCE_S = 20


@dataclass
class Front:
    """A gateway, the core behind it, and clients of it."""

    core: RunningCore
    access: AccessStub
    session: aiohttp.ClientSession

    async def ask(
        self, path: str, token: str = "", method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, Any]:
        """Return status, body and headers of an answer."""
        given = {"Accept": "application/x-protobuf", "Content-Type": "application/x-protobuf", **headers}
        if token:
            given["Authorization"] = f"Bearer {token}"
        async with self.session.request(method, path, headers=given, data=body) as response:
            return response.status, await response.read(), response.headers

    async def from_address(self, address: str, path: str = MODELS, token: str = "") -> int:
        """Return the status for a client at `address`, which a proxy forwards."""
        status, _, _ = await self.ask(path, token, **{"X-Forwarded-For": address})
        return status

    async def post(self, token: str = "", seed: int = 1) -> str:
        """Post a scan; return the path of its job."""
        status, body, _ = await self.ask(POST, token, "POST", scan(seed, channel_id="1"))
        assert status == 200, body
        return f"{POST}/{Model_pb2.SegmentationTask.FromString(body).SegmentationID}"

    async def token(self, scope: str = "client", **more: Any) -> access_pb2.CreateTokenResponse:
        request = access_pb2.CreateTokenRequest(name="test", scope=f"SCOPE_{scope.upper()}", **more)
        return await self.access.CreateToken(request)

    async def revoke(self, made: access_pb2.CreateTokenResponse) -> None:
        await self.access.RevokeToken(access_pb2.RevokeTokenRequest(id=made.token.id))


@asynccontextmanager
async def front(folder: Path, **settings: Any) -> AsyncIterator[Front]:
    """Run core and gateway with `settings` while the context lasts."""
    home = Home(folder / "home")
    home.create()
    wanted = Settings(home=str(home.path), http="127.0.0.1:0", stop_grace_s=1, **settings)
    async with (
        running_core(home, **settings) as core,
        serve(wanted) as gateway,
        grpc.aio.insecure_channel(unix_target(home.admin_socket)) as channel,
        aiohttp.ClientSession(f"http://{gateway.address}") as session,
    ):
        yield Front(core, AccessStub(channel), session)


async def status_becomes(asked: Front, path: str, token: str, status: int) -> None:
    """Wait until the answer is `status`; the gateway hears of a change within milliseconds."""
    give_up = time.monotonic() + PATIENCE_S
    while (await asked.ask(path, token))[0] != status:
        assert time.monotonic() < give_up


async def test_while_open_nothing_is_asked_for(tmp_path: Path) -> None:
    async with front(tmp_path) as asked:
        job = await asked.post()
        for path in ("/ping", MODELS, "/metrics", "/healthz", "/openapi.json", job):
            assert (await asked.ask(path))[0] == 200, path


async def test_while_open_a_token_names_the_jobs_owner_and_a_bad_one_is_told(tmp_path: Path) -> None:
    async with front(tmp_path) as asked:
        made = await asked.token()
        job = await asked.post(made.secret)
        assert asked.core.store.jobs.get(job.rpartition("/")[2]).owner == f"token:{made.token.id}"
        assert (await asked.ask(job))[0] == 200
        assert (await asked.ask(MODELS, BAD))[0] == 401
        assert (await asked.ask(MODELS, Authorization="Basic c2VnaW50"))[0] == 200


async def test_a_revoked_token_is_refused_at_once_though_polls_are_answered_without_the_core(
    tmp_path: Path,
) -> None:
    async with front(tmp_path, client_mode="token") as asked:
        made, other = await asked.token(), await asked.token()
        job = await asked.post(made.secret)
        assert (await asked.ask(job, made.secret))[0] == 200
        await asked.revoke(made)
        await status_becomes(asked, job, made.secret, 401)
        assert (await asked.ask(MODELS, made.secret))[0] == 401
        assert (await asked.ask(MODELS, other.secret))[0] == 200


async def test_a_401_says_how_to_mend_it_in_the_shape_of_every_error(tmp_path: Path) -> None:
    async with front(tmp_path, client_mode="token") as asked:
        status, body, headers = await asked.ask(POST, "", "POST", scan(channel_id="1"))
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        refusal = Model_pb2.BadRequestResponse.FromString(body)
        assert refusal.ErrorMessage == "Invalid request."
        assert "segint token create" in refusal.ExceptionDetails


@pytest.mark.parametrize("authorization", ["Bearer é", "Bearer " + "x" * 5000, "Bearer", "bearer  "])
async def test_a_credential_that_cannot_be_one_is_a_401_too(tmp_path: Path, authorization: str) -> None:
    async with front(tmp_path, client_mode="token") as asked:
        assert (await asked.ask(MODELS, Authorization=authorization))[0] == 401


async def test_repeated_bad_tokens_become_a_429_for_their_address_alone(tmp_path: Path) -> None:
    async with front(tmp_path, client_mode="token", bad_tokens_max=2, **PROXY) as asked:
        statuses = [await asked.from_address("192.0.2.7", token=BAD) for _ in range(3)]
        assert statuses == [401, 401, 429]
        _, body, headers = await asked.ask(MODELS, BAD, **{"X-Forwarded-For": "192.0.2.7"})
        assert int(headers["Retry-After"]) >= 1
        assert Model_pb2.BadRequestResponse.FromString(body).ErrorMessage == "Invalid request."
        assert await asked.from_address("192.0.2.8", token=BAD) == 401
        assert await asked.from_address("192.0.2.7", token=(await asked.token()).secret) == 200


async def test_a_token_that_posts_too_often_gets_a_429_with_the_time_to_wait(tmp_path: Path) -> None:
    async with front(tmp_path, client_mode="token") as asked:
        made = await asked.token(limits=access_pb2.TokenLimits(posts_per_minute=1))
        await asked.post(made.secret)
        status, _, headers = await asked.ask(POST, made.secret, "POST", scan(2, channel_id="1"))
        assert status == 429
        assert 50 < int(headers["Retry-After"]) <= 60


async def test_by_network_the_clients_address_counts_and_the_id_opens_a_job(
    tmp_path: Path,
) -> None:
    async with front(tmp_path, allow=("192.0.2.0/24",), **PROXY) as asked:
        job = await asked.post()
        assert await asked.from_address("192.0.2.7") == 200
        assert await asked.from_address("192.0.2.7", job) == 200
        assert await asked.from_address("198.51.100.1") == 403
        assert await asked.from_address("198.51.100.1, 192.0.2.7") == 200
        assert await asked.from_address("192.0.2.7, 198.51.100.1") == 403
        assert await asked.from_address("192.0.2.7, what is this") == 403


async def test_without_a_trusted_proxy_a_forwarded_address_counts_for_nothing(tmp_path: Path) -> None:
    async with front(tmp_path, allow=("192.0.2.0/24",)) as asked:
        assert await asked.from_address("198.51.100.1") == 200


async def test_the_figures_are_for_this_machine_and_the_networks_that_are_named(tmp_path: Path) -> None:
    settings = {"allow": ("192.0.2.0/24",), "metrics_allow": ("198.51.100.1",), **PROXY}
    async with front(tmp_path, **settings) as asked:
        assert await asked.from_address("192.0.2.7", "/metrics") == 403
        assert await asked.from_address("198.51.100.1", "/metrics") == 200
        assert await asked.from_address("198.51.100.1") == 403
        assert await asked.from_address("127.0.0.1", "/metrics") == 200
        status, body, _ = await asked.ask("/metrics")
        assert (status, b"segint_core_up 1.0" in body) == (200, True)


@pytest.mark.parametrize("mode", ["open", "token", "network"])
async def test_health_needs_a_token_only_where_the_settings_say_so(tmp_path: Path, mode: str) -> None:
    async with front(tmp_path, client_mode=mode, health="token") as asked:
        made = await asked.token()
        for path in ("/healthz", "/readyz", "/openapi.json"):
            assert (await asked.ask(path))[0] == 401
            assert (await asked.ask(path, made.secret))[0] in (200, 503)


@pytest.mark.parametrize("settings", [{}, {"client_mode": "open", "allow": ("192.0.2.0/24",)}])
async def test_an_open_gateway_does_not_listen_beyond_this_machine(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(errors.StartRefused, match=r"--allow.*--client-mode token"):
        async with serve(Settings(home=str(tmp_path), http="0.0.0.0:0", **settings)):
            pass
