from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.models import FileRecord
from segint_grpc.home import Home
from segint_grpc.service.hop import Hop
from segint_grpc.service.models import Models
from segint_grpc.store.store import Store, open_store
from tests.fakes.core_bench import small_disk

CONTENT = bytes(range(256)) * 40


def offer_of(content: bytes, name: str = "weights.pt") -> FileRecord:
    return FileRecord(hashlib.sha256(content).hexdigest(), name, len(content))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with open_store(home) as store:
        yield store


@pytest.fixture
def models(store: Store) -> Iterator[Models]:
    with Hop("test") as hop:
        yield Models(store, hop)


async def pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_an_uploaded_file_lies_under_its_name_in_a_folder_named_by_its_content(
    models: Models, home: Home, store: Store
) -> None:
    offer = offer_of(CONTENT)
    assert await models.files.upload(offer, pieces(CONTENT)) == offer
    path = home.models / offer.sha256 / "weights.pt"
    assert path.read_bytes() == CONTENT
    assert files_in(home.models) == [path]
    assert store.model_files.find(offer.sha256) == offer


async def test_a_file_that_is_uploaded_again_replaces_itself(models: Models, home: Home) -> None:
    offer = offer_of(CONTENT)
    await models.files.upload(offer, pieces(CONTENT))
    (home.models / offer.sha256 / "weights.pt").write_bytes(b"spoiled")
    await models.files.upload(offer, pieces(CONTENT))
    assert [path.read_bytes() for path in files_in(home.models)] == [CONTENT]


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (CONTENT[:-1], f"ended after {len(CONTENT) - 1} of {len(CONTENT)} bytes"),
        (b"", f"ended after 0 of {len(CONTENT)} bytes"),
        (CONTENT + b"x", f"goes on after the {len(CONTENT)} bytes"),
        (CONTENT[:-1] + b"x", "SHA-256 is .*, not .*; send it again"),
    ],
)
async def test_a_file_that_is_not_what_was_promised_leaves_nothing(
    models: Models, home: Home, store: Store, sent: bytes, sentence: str
) -> None:
    with pytest.raises(errors.InvalidModel, match=sentence):
        await models.files.upload(offer_of(CONTENT), pieces(sent))
    assert files_in(home.models) == []
    assert store.model_files.files() == []


async def test_an_upload_that_is_cut_off_leaves_nothing(models: Models, home: Home, store: Store) -> None:
    arrived = asyncio.Event()

    async def cut() -> AsyncIterator[bytes]:
        yield CONTENT[:1000]
        arrived.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(models.files.upload(offer_of(CONTENT), cut()))
    await arrived.wait()
    assert len(files_in(home.models)) == 1
    upload.cancel()
    await asyncio.wait([upload])
    assert upload.cancelled()
    assert files_in(home.models) == []
    assert store.model_files.files() == []


async def test_a_file_larger_than_the_disk_is_refused_before_its_bytes_come(
    models: Models, home: Home
) -> None:
    offer = FileRecord("0" * 64, "weights.pt", 1 << 60)
    asked = False

    async def never() -> AsyncIterator[bytes]:
        nonlocal asked
        asked = True
        yield b""

    with pytest.raises(errors.DiskFull, match="make room first"):
        await models.files.upload(offer, never())
    assert not asked
    assert files_in(home.models) == []


async def test_a_disk_that_fills_up_meanwhile_refuses_a_file_and_leaves_nothing_of_it(
    models: Models, home: Home
) -> None:
    content = bytes(80_000)

    async def pieces_of_a_race() -> AsyncIterator[bytes]:
        yield content[:1000]
        (home.models / "another").write_bytes(bytes(60_000))
        async for piece in pieces(content[1000:]):
            yield piece

    with small_disk(home.models, 100_000):
        with pytest.raises(errors.DiskFull):
            await models.files.upload(offer_of(content), pieces_of_a_race())
        assert files_in(home.models) == [home.models / "another"]
