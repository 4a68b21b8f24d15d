"""Tokens and users through the doors of a whole core: what a credential is worth, and until when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from generated.segint.v1 import access_pb2, jobs_pb2, models_pb2, segmentation_pb2
from generated.segint.v1.access_pb2_grpc import AccessStub
from generated.segint.v1.jobs_pb2_grpc import JobsStub
from generated.segint.v1.models_pb2_grpc import ModelsStub
from generated.segint.v1.segmentation_pb2_grpc import SegmentationStub
from segint_grpc.api.details import DETAILS_METADATA
from segint_grpc.domain.access import Scope
from segint_grpc.forwarding import AUTHORIZATION, FORWARDED_FOR
from segint_grpc.home import Home, unix_target
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.hop import Hop
from segint_grpc.service.users import Users
from segint_grpc.settings import Settings
from segint_grpc.store.store import open_store
from tests.fakes.core_bench import scan
from tests.fakes.cores import SAMPLE, RunningCore, running_core
from tests.fakes.stores import make_home

Metadata = Sequence[tuple[str, str]]


@asynccontextmanager
async def a_core(folder: Path, **settings: Any) -> AsyncIterator[RunningCore]:
    home = Home(folder / "home")
    home.create()
    async with running_core(home, **settings) as core:
        yield core


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[RunningCore]:
    async with a_core(tmp_path, client_mode="token") as core:
        yield core


@pytest.fixture
async def access(core: RunningCore) -> AsyncIterator[AccessStub]:
    async with grpc.aio.insecure_channel(unix_target(core.home.admin_socket)) as channel:
        yield AccessStub(channel)


@pytest.fixture
async def tcp(core: RunningCore) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(core.tcp) as channel:
        yield channel


@pytest.fixture
async def gateway(core: RunningCore) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(unix_target(core.home.gateway_socket)) as channel:
        yield channel


async def token(access: AccessStub, scope: str = "client", **more: Any) -> Metadata:
    """Make a token; return the metadata that show it."""
    request = access_pb2.CreateTokenRequest(name="test", scope=f"SCOPE_{scope.upper()}", **more)
    return shown((await access.CreateToken(request)).secret)


def shown(secret: str) -> Metadata:
    return ((AUTHORIZATION, f"Bearer {secret}"),)


async def post(channel: grpc.aio.Channel, metadata: Metadata, seed: int = 1, caller: str = "") -> Any:
    header = segmentation_pb2.SubmitHeader(model_id=SAMPLE, caller=caller)
    requests = [
        segmentation_pb2.SubmitRequest(header=header),
        segmentation_pb2.SubmitRequest(chunk=scan(seed, channel_id="1")),
    ]
    return await SegmentationStub(channel).Submit(iter(requests), metadata=metadata)


async def drained(stream: Any) -> None:
    """Read a stream to its end."""
    while await stream.read() is not grpc.aio.EOF:
        pass


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code().name, caught.value.details() or ""


async def test_a_token_counts_no_more_from_the_moment_that_it_is_revoked(
    access: AccessStub, tcp: grpc.aio.Channel
) -> None:
    metadata, models = await token(access, "admin"), ModelsStub(tcp)
    await models.ListFamilies(models_pb2.ListFamiliesRequest(), metadata=metadata)
    (made,) = (await access.ListTokens(access_pb2.ListTokensRequest())).tokens
    revoked = (await access.RevokeToken(access_pb2.RevokeTokenRequest(id=made.id))).token
    assert not revoked.valid
    code, _ = await refused(models.ListFamilies(models_pb2.ListFamiliesRequest(), metadata=metadata))
    assert code == "UNAUTHENTICATED"
    again = (await access.RevokeToken(access_pb2.RevokeTokenRequest(id=made.id))).token
    assert again.revoked_at == revoked.revoked_at


async def test_a_stream_ends_when_the_token_that_it_was_opened_with_is_revoked(
    core: RunningCore, access: AccessStub, tcp: grpc.aio.Channel
) -> None:
    metadata = await token(access, "operator")
    stream = JobsStub(tcp).FollowJobs(jobs_pb2.FollowJobsRequest(), metadata=metadata)
    core.add_waiting()
    await core.submit(scan(7, channel_id="1"))
    assert await stream.read()
    (made,) = (await access.ListTokens(access_pb2.ListTokensRequest())).tokens
    await access.RevokeToken(access_pb2.RevokeTokenRequest(id=made.id))
    await core.submit(scan(8, channel_id="1"))
    assert (await refused(drained(stream)))[0] == "UNAUTHENTICATED"


async def test_a_call_that_is_open_already_takes_no_request_once_its_token_is_revoked(
    core: RunningCore, access: AccessStub, tcp: grpc.aio.Channel
) -> None:
    metadata, job = await token(access, "operator"), core.add_waiting()
    call = tcp.stream_stream("/segint.v1.Jobs/CancelJob")(metadata=metadata)
    (made,) = (await access.ListTokens(access_pb2.ListTokensRequest())).tokens
    while not made.HasField("used_at"):  # until the call has come in
        (made,) = (await access.ListTokens(access_pb2.ListTokensRequest())).tokens
    await access.RevokeToken(access_pb2.RevokeTokenRequest(id=made.id))
    await call.write(jobs_pb2.CancelJobRequest(segmentation_id=job.id).SerializeToString())
    assert (await refused(drained(call)))[0] == "UNAUTHENTICATED"
    assert core.store.jobs.get(job.id) == job


async def test_an_upload_whose_token_is_revoked_before_its_end_is_no_job(
    core: RunningCore, access: AccessStub, tcp: grpc.aio.Channel
) -> None:
    call = SegmentationStub(tcp).Submit(metadata=await token(access))
    header = segmentation_pb2.SubmitHeader(model_id=SAMPLE)
    await call.write(segmentation_pb2.SubmitRequest(header=header))
    await call.write(segmentation_pb2.SubmitRequest(chunk=scan(7, channel_id="1")))
    async with asyncio.timeout(10):
        while True:
            if any(path.stat().st_size for path in core.home.bodies.iterdir()):
                break
            await asyncio.sleep(0.01)
    (made,) = (await access.ListTokens(access_pb2.ListTokensRequest())).tokens
    await access.RevokeToken(access_pb2.RevokeTokenRequest(id=made.id))
    await call.done_writing()
    assert (await refused(call))[0] == "UNAUTHENTICATED"
    assert core.store.jobs.unfinished() == []


async def test_tokens_outlive_the_core_and_their_last_use_is_written(tmp_path: Path) -> None:
    async with a_core(tmp_path) as core:
        async with grpc.aio.insecure_channel(unix_target(core.home.admin_socket)) as channel:
            metadata = await token(AccessStub(channel), "admin")
        async with grpc.aio.insecure_channel(core.tcp) as channel:
            await AccessStub(channel).ListUsers(access_pb2.ListUsersRequest(), metadata=metadata)
    async with a_core(tmp_path) as core, grpc.aio.insecure_channel(core.tcp) as channel:
        (entry, _), *others = core.store.tokens.all()
        assert entry.used_at is not None
        assert not others
        await AccessStub(channel).ListUsers(access_pb2.ListUsersRequest(), metadata=metadata)


async def test_nothing_of_a_token_or_password_lies_in_the_home(
    core: RunningCore, access: AccessStub, caplog: pytest.LogCaptureFixture
) -> None:
    ((_, authorization),) = await token(access)
    secret, password = authorization.removeprefix("Bearer "), "nine slow green rivers"
    await access.CreateUser(access_pb2.CreateUserRequest(name="ada", password=password))
    kept = b"".join(path.read_bytes() for path in core.home.path.rglob("*") if path.is_file())
    for text in (secret, secret.split("_", 2)[2], password):
        assert text.encode() not in kept
        assert text not in caplog.text
    assert secret.split("_")[1].encode() in kept


async def test_another_scope_than_the_tokens_own_is_named_in_the_refusal(
    access: AccessStub, tcp: grpc.aio.Channel
) -> None:
    metadata = await token(access, "operator")
    code, details = await refused(
        AccessStub(tcp).ListTokens(access_pb2.ListTokensRequest(), metadata=metadata)
    )
    assert code == "PERMISSION_DENIED"
    assert "scope admin" in details
    assert "operator" in details


async def test_a_token_has_so_many_unfinished_jobs_at_most_and_a_repeated_post_is_none_more(
    core: RunningCore, access: AccessStub, tcp: grpc.aio.Channel
) -> None:
    metadata = await token(access, limits=access_pb2.TokenLimits(jobs_max=1))
    (made,) = (await access.ListTokens(access_pb2.ListTokensRequest())).tokens
    core.add_waiting(owner=f"token:{made.id}")
    code, details = await refused(post(tcp, metadata))
    assert code == "RESOURCE_EXHAUSTED"
    assert "1 segmentations of this token" in details
    other = await post(tcp, await token(access))
    assert not other.repeated_post


async def test_a_token_that_posts_too_often_is_told_when_to_come_again(
    access: AccessStub, tcp: grpc.aio.Channel
) -> None:
    metadata = await token(access, limits=access_pb2.TokenLimits(posts_per_minute=1))
    await post(tcp, metadata)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await post(tcp, metadata, seed=2)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert 50 < retry_s(caught.value) <= 60


def retry_s(error: grpc.aio.AioRpcError) -> int:
    trailing = dict(iter(error.trailing_metadata() or ()))
    retry = error_details_pb2.RetryInfo()
    details = status_pb2.Status.FromString(trailing[DETAILS_METADATA]).details
    assert any(detail.Unpack(retry) for detail in details)
    return int(retry.retry_delay.seconds)


async def test_the_same_scan_of_two_tokens_is_two_jobs(access: AccessStub, tcp: grpc.aio.Channel) -> None:
    first, second = await token(access), await token(access)
    one, other = await post(tcp, first), await post(tcp, second)
    assert not other.repeated_post
    assert one.task.SegmentationID != other.task.SegmentationID


async def test_what_a_post_says_of_its_caller_never_stands_for_the_address(
    core: RunningCore, access: AccessStub, tcp: grpc.aio.Channel
) -> None:
    posted = await post(tcp, await token(access), caller="192.0.2.99")
    job = core.store.jobs.get(posted.task.SegmentationID)
    assert job.caller == "127.0.0.1 192.0.2.99"
    assert job.owner.startswith("token:")


async def test_bad_tokens_are_slowed_down_and_good_ones_from_the_same_address_are_not(tmp_path: Path) -> None:
    async with a_core(tmp_path, bad_tokens_max=2) as core:
        async with grpc.aio.insecure_channel(unix_target(core.home.admin_socket)) as channel:
            good = await token(AccessStub(channel), "admin")
        async with grpc.aio.insecure_channel(core.tcp) as channel:
            models, bad = ModelsStub(channel), shown(f"segint_aaaaaaaa_{'b' * 43}")
            request = models_pb2.ListFamiliesRequest()
            codes = [(await refused(models.ListFamilies(request, metadata=bad)))[0] for _ in range(3)]
            assert codes == ["UNAUTHENTICATED", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED"]
            await models.ListFamilies(request, metadata=good)


async def test_the_gateways_socket_serves_jobs_alone(gateway: grpc.aio.Channel) -> None:
    forwarded = ((FORWARDED_FOR, "192.0.2.7"),)
    for call in (
        ModelsStub(gateway).ListFamilies(models_pb2.ListFamiliesRequest(), metadata=forwarded),
        AccessStub(gateway).ListTokens(access_pb2.ListTokensRequest(), metadata=forwarded),
        JobsStub(gateway).ListJobs(jobs_pb2.ListJobsRequest(), metadata=forwarded),
    ):
        assert (await refused(call))[0] == "UNIMPLEMENTED"


async def test_on_the_gateways_socket_a_client_is_who_the_gateway_says(
    core: RunningCore, access: AccessStub, gateway: grpc.aio.Channel
) -> None:
    stub = SegmentationStub(gateway)
    request = segmentation_pb2.IdentifyRequest()
    metadata = (*(await token(access, "operator")), (FORWARDED_FOR, "192.0.2.7"))
    identity = await stub.Identify(request, metadata=metadata)
    assert identity.principal.startswith("token:")
    assert identity.scope == access_pb2.SCOPE_OPERATOR
    posted = await post(gateway, metadata)
    assert core.store.jobs.get(posted.task.SegmentationID).caller == "192.0.2.7"
    nobody = ((FORWARDED_FOR, "192.0.2.7"),)
    assert (await refused(stub.Identify(request, metadata=nobody)))[0] == "UNAUTHENTICATED"


async def test_the_gateway_itself_has_no_authority_over_jobs(gateway: grpc.aio.Channel) -> None:
    stub = SegmentationStub(gateway)
    assert await stub.WatchJobs(segmentation_pb2.WatchJobsRequest()).read()
    code, details = await refused(stub.ListModels(segmentation_pb2.ListModelsRequest()))
    assert code == "PERMISSION_DENIED"
    assert FORWARDED_FOR in details


async def test_over_tcp_nobody_is_believed_for_whom_he_speaks(tmp_path: Path) -> None:
    async with (
        a_core(tmp_path, client_mode="network", allow=("192.0.2.0/24",)) as core,
        grpc.aio.insecure_channel(core.tcp) as channel,
    ):
        metadata = ((FORWARDED_FOR, "192.0.2.7"),)
        posted = await post(channel, metadata)
        assert core.store.jobs.get(posted.task.SegmentationID).caller == "127.0.0.1"


async def test_a_forwarded_client_outside_the_networks_is_refused(tmp_path: Path) -> None:
    async with (
        a_core(tmp_path, allow=("192.0.2.0/24",)) as core,
        grpc.aio.insecure_channel(unix_target(core.home.gateway_socket)) as channel,
    ):
        stub = SegmentationStub(channel)
        request = segmentation_pb2.ListModelsRequest()
        await stub.ListModels(request, metadata=((FORWARDED_FOR, "192.0.2.7"),))
        code, details = await refused(stub.ListModels(request, metadata=((FORWARDED_FOR, "198.51.100.1"),)))
        assert (code, "198.51.100.1" in details) == ("PERMISSION_DENIED", True)
        assert (await refused(stub.ListModels(request, metadata=((FORWARDED_FOR, ""),))))[0] == code


async def test_a_token_that_would_have_expired_or_has_no_name_is_not_made(access: AccessStub) -> None:
    request = access_pb2.CreateTokenRequest(name="")
    request.expires_at.FromDatetime(datetime.now(UTC) - timedelta(days=1))
    code, details = await refused(access.CreateToken(request))
    assert code == "INVALID_ARGUMENT"
    assert "name:" in details
    assert "expires_at:" in details


async def test_users_are_made_changed_disabled_and_enabled(access: AccessStub) -> None:
    weak = access_pb2.CreateUserRequest(name="Ada", password="password1234")
    code, details = await refused(access.CreateUser(weak))
    assert code == "INVALID_ARGUMENT"
    assert "name:" in details
    assert "guessed first" in details
    strong = access_pb2.CreateUserRequest(name="ada", password="nine slow green rivers")
    assert (await access.CreateUser(strong)).user.scope == access_pb2.SCOPE_CLIENT
    assert (await refused(access.CreateUser(strong)))[0] == "ALREADY_EXISTS"
    change = access_pb2.SetPasswordRequest(name="ada", password="ten slow green rivers")
    await access.SetPassword(change)
    assert (await access.DisableUser(access_pb2.DisableUserRequest(name="ada"))).user.HasField("disabled_at")
    (user,) = (await access.ListUsers(access_pb2.ListUsersRequest())).users
    assert user.HasField("disabled_at")
    enabled = (await access.EnableUser(access_pb2.EnableUserRequest(name="ada"))).user
    assert not enabled.HasField("disabled_at")
    assert (await refused(access.EnableUser(access_pb2.EnableUserRequest(name="bob"))))[0] == "NOT_FOUND"


@pytest.mark.parametrize("mode", ["open", "token", "network"])
async def test_health_asks_for_a_token_where_the_settings_say_so(tmp_path: Path, mode: str) -> None:
    async with a_core(tmp_path, client_mode=mode, health="token") as core:
        async with grpc.aio.insecure_channel(core.tcp) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            assert (await refused(check(b"")))[0] == "UNAUTHENTICATED"
        async with grpc.aio.insecure_channel(unix_target(core.home.gateway_socket)) as channel:
            await channel.unary_unary("/grpc.health.v1.Health/Check")(b"")


async def test_a_password_lets_its_user_in_until_that_is_disabled(tmp_path: Path) -> None:
    with open_store(make_home(tmp_path)) as store, Hop("test") as hop:
        users = Users(ServiceContext(store, hop, Settings()))
        password = "nine slow green rivers"
        await users.create("ada", Scope.OPERATOR, password)
        found = await users.verify("ada", password)
        assert found is not None
        assert found.scope is Scope.OPERATOR
        assert await users.verify("ada", f"{password}!") is None
        assert await users.verify("bob", password) is None
        await users.set_disabled("ada", disabled=True)
        assert await users.verify("ada", password) is None
        users.close()
