"""The audit log on its way to real listeners: UDP, TCP and unix sockets."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from generated.segint.v1 import jobs_pb2
from segint_grpc import errors
from segint_grpc.domain.access import Caller, Door
from segint_grpc.domain.audit import Entry, Head, entry_by
from segint_grpc.service import audit_forwarding, log_targets
from segint_grpc.service.audit_forwarding import Forwarding
from segint_grpc.service.log_targets import Told, syslog_line, target_of
from segint_grpc.service.services import going_on
from segint_grpc.store import Store
from tests.fakes.cores import running_core
from tests.fakes.stores import START, Clock, make_home

SOMEBODY = Caller(Door.TCP, "user:Müller", address="192.0.2.7")
LINE = re.compile(
    r'<8[45]>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ segint \d+ (record|head) \[audit@32473 seq="(\d+)" '
    r'hash="([0-9a-f]{64})"'
)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_forwarding, "INTERVAL_S", 0.01)
    monkeypatch.setattr(audit_forwarding, "RETRY_MAX_S", 0.02)


def entries(count: int, **changes: str) -> list[Entry]:
    return [entry_by(SOMEBODY, START, "result.read", "job", f'j"{n}]', **changes) for n in range(count)]


def datagrams(family: int, address: object) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_DGRAM)
    listener.bind(address)  # type: ignore[arg-type]
    listener.setblocking(False)
    return listener


async def lines_of(listener: socket.socket, count: int) -> list[str]:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(20):
        return [(await loop.sock_recv(listener, 65536)).decode() for _ in range(count)]


def heads(lines: list[str], kind: str = "record") -> list[Head]:
    found = [LINE.match(line) for line in lines]
    assert all(found), lines
    return [Head(int(match[2]), match[3]) for match in found if match and match[1] == kind]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def forwarding(store: Store, setting: str) -> AsyncIterator[Forwarding]:
    forwarder = Forwarding(store, setting)
    async with going_on(forwarder.run()):
        yield forwarder


async def test_records_and_the_head_arrive_over_udp(tmp_path: Path) -> None:
    with Store(make_home(tmp_path), Clock()) as store, datagrams(socket.AF_INET, ("127.0.0.1", 0)) as log:
        head = store.audit.append(entries(3))
        async with forwarding(store, f"udp://127.0.0.1:{log.getsockname()[1]}"):
            lines = await lines_of(log, 3)
            await until(lambda: store.audit.places()[1] == head)
            store.audit.append(entries(1))
            lines += await lines_of(log, 2)
        told = [record.head for record in store.audit.after(0)]
        assert heads(lines) == told
        assert heads(lines, "head") == [head]
        assert 'principal="user:Müller"' in lines[0]
        assert 'object_id="j\\"0\\]"' in lines[0]
        assert list(store.audit.check(*told))[-1].finding is None


async def test_a_unix_socket_gets_the_same_lines(tmp_path: Path) -> None:
    with Store(make_home(tmp_path), Clock()) as store:
        path = tmp_path / "log"
        with datagrams(socket.AF_UNIX, str(path)) as log:
            store.audit.append(entries(2))
            async with forwarding(store, f"unix:{path}"):
                assert [head.seq for head in heads(await lines_of(log, 2))] == [1, 2]


async def test_journald_gets_each_field_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_targets, "JOURNAL", str(tmp_path / "journal"))
    with Store(make_home(tmp_path), Clock()) as store:
        head = store.audit.append(entries(1))
        with datagrams(socket.AF_UNIX, str(tmp_path / "journal")) as log:
            async with forwarding(store, "journald"):
                (text,) = await lines_of(log, 1)
    fields = dict(line.split("=", 1) for line in text.splitlines())
    assert fields["SEGINT_AUDIT_SEQ"] == "1"
    assert fields["SEGINT_AUDIT_HASH"] == head.hash
    assert fields["SEGINT_AUDIT_PRINCIPAL"] == "user:Müller"
    assert fields["SYSLOG_IDENTIFIER"] == "segint"


class TcpLog:
    """A log server over TCP that reads octet-counted lines, and can be away."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def there(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._read, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for writer in self._writers:
                writer.close()
            await server.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while length := await reader.readuntil(b" "):
                self.lines.append((await reader.readexactly(int(length))).decode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass


async def test_what_happened_during_an_outage_follows_after_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = TcpLog()
    with Store(make_home(tmp_path), Clock()) as store:
        async with log.there():
            store.audit.append(entries(2))
            forwarder = Forwarding(store, f"tcp://127.0.0.1:{log.port}")
            running = asyncio.create_task(forwarder.run())
            await until(lambda: len(log.lines) >= 3)
        store.audit.append(entries(700))
        await until(lambda: "cannot be forwarded" in caplog.text)
        async with log.there():
            last = store.audit.append(entries(1))
            await until(lambda: last in heads(log.lines))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert {head.seq for head in heads(log.lines)} == set(range(1, 704))
        assert store.audit.places()[1] == last
        assert forwarder.lost == 0
    assert "forwarded again" in caplog.text


async def test_what_a_log_server_took_and_never_read_is_sent_again(tmp_path: Path) -> None:
    log, count = TcpLog(), 5000
    with Store(make_home(tmp_path), Clock()) as store, socket.create_server(("127.0.0.1", 0)) as deaf:
        last = store.audit.append(entries(count))
        log.port = deaf.getsockname()[1]
        async with forwarding(store, f"tcp://127.0.0.1:{log.port}") as forwarder:
            connection, _ = await asyncio.to_thread(deaf.accept)
            await until(lambda: bool(forwarder._failed_s))
            connection.close()
            deaf.close()
            async with log.there():
                await until(lambda: last in heads(log.lines))
        assert {head.seq for head in heads(log.lines)} == set(range(1, count + 1))


async def test_a_restart_goes_on_behind_what_was_sent(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    with datagrams(socket.AF_INET, ("127.0.0.1", 0)) as log:
        setting = f"udp://127.0.0.1:{log.getsockname()[1]}"
        for first in (1, 3):
            with Store(home, Clock()) as store:
                store.audit.append(entries(2))
                async with forwarding(store, setting):
                    assert heads(await lines_of(log, 2)) == [r.head for r in store.audit.after(first - 1)]
                    await until(lambda last=first + 1, s=store: s.audit.places()[1].seq == last)
                    await lines_of(log, 1)


async def test_what_was_pruned_before_it_was_sent_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    with Store(make_home(tmp_path), clock) as store, datagrams(socket.AF_INET, ("127.0.0.1", 0)) as log:
        store.audit.append(entries(5))
        clock.time += timedelta(days=1)
        store.audit.prune(10)
        async with forwarding(store, f"udp://127.0.0.1:{log.getsockname()[1]}") as forwarder:
            assert [head.seq for head in heads(await lines_of(log, 1))] == [6]
            assert forwarder.lost == 5
    assert "pruned before they were forwarded" in caplog.text


async def test_a_core_forwards_and_a_log_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    with datagrams(socket.AF_UNIX, str(tmp_path / "log")) as log:
        async with running_core(home, audit_syslog=f"unix:{tmp_path / 'log'}") as core:
            await core.jobs.ListJobs(jobs_pb2.ListJobsRequest())
            assert "jobs.view" in "".join(await lines_of(log, 2))
    async with running_core(home, audit_syslog="unix:/nothing/here") as core:
        core.store.audit.append(entries(1))


@pytest.mark.parametrize(
    "setting", ["syslog", "udp://host", "tcp://host:x", "http://host:1", "unix:relative"]
)
def test_a_place_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(errors.InvalidSetting, match="audit_syslog"):
        target_of(setting)


def test_a_line_is_rfc_5424() -> None:
    line = syslog_line(Told(Head(7, "a" * 64), START), "host", 12)
    assert line == (
        f'<85>1 2026-03-01T08:30:00.123456Z host segint 12 head [audit@32473 seq="7" hash="{"a" * 64}"] '
        f"head of the audit log 7:{'a' * 64}"
    )
