import gzip
import os
import random
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segint_grpc import errors
from segint_grpc.wire.handover import Handover, HandoverClosedError
from segint_grpc.wire.volume_decoder import PIECES_MAX, Decoded, VolumeDecoder

VOXELS = random.Random(1).randbytes(100_000)
MIB = 1024 * 1024


@pytest.fixture
def path_of(tmp_path: Path) -> Callable[[int], Path]:
    return lambda channel: tmp_path / f"{channel}.raw"


def send(decoder: VolumeDecoder, data: bytes, channel: int = 0, expected: int | None = None) -> None:
    decoder.begin(channel, len(data), expected)
    for at in range(0, len(data), 1000):
        decoder.write(memoryview(data)[at : at + 1000])
    decoder.end()


def decode(path_of: Callable[[int], Path], data: bytes, expected: int | None = None) -> Decoded:
    with VolumeDecoder(path_of, 100 * MIB) as decoder:
        send(decoder, data, expected=expected)
        return decoder.finish()[0]


def inflating() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "inflate"]


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    yield
    assert inflating() == []


@pytest.mark.parametrize("expected", [None, len(VOXELS)])
def test_voxels_arrive_in_the_file_as_they_were(path_of: Callable[[int], Path], expected: int | None) -> None:
    decoded = decode(path_of, gzip.compress(VOXELS), expected)
    assert (decoded.size_bytes, decoded.error) == (len(VOXELS), None)
    assert decoded.path.read_bytes() == VOXELS


@pytest.mark.parametrize("level", range(10))
def test_every_level_of_compression_is_read(path_of: Callable[[int], Path], level: int) -> None:
    assert decode(path_of, gzip.compress(VOXELS, level)).path.read_bytes() == VOXELS


def test_several_members_are_one_volume(path_of: Callable[[int], Path]) -> None:
    members = b"".join(gzip.compress(VOXELS[at : at + 30_000]) for at in range(0, len(VOXELS), 30_000))
    assert decode(path_of, members, len(VOXELS)).path.read_bytes() == VOXELS


def test_zeros_after_the_last_member_are_padding_as_gzip_has_it(path_of: Callable[[int], Path]) -> None:
    decoded = decode(path_of, gzip.compress(VOXELS) + bytes(600), len(VOXELS))
    assert (decoded.size_bytes, decoded.error) == (len(VOXELS), None)


WHOLE = gzip.compress(VOXELS)
BROKEN = {
    "no gzip at all": VOXELS,
    "zeros": bytes(1000),
    "half a header": WHOLE[:5],
    "a header alone": WHOLE[:10],
    "cut off in the middle": WHOLE[: len(WHOLE) // 2],
    "cut off before the checksum": WHOLE[:-8],
    "cut off by one byte": WHOLE[:-1],
    "a wrong checksum": WHOLE[:-8] + bytes(4) + WHOLE[-4:],
    "a wrong length": WHOLE[:-4] + bytes(4),
    "garbage in the middle": WHOLE[:10] + b"\xff" * 50 + WHOLE[60:],
    "garbage after the end": WHOLE + b"garbage",
    "garbage after padding": WHOLE + bytes(10) + b"garbage",
    "half a header after the end": WHOLE + WHOLE[:5],
    "a zlib stream": b"\x78\x9c" + WHOLE[10:],
}


@pytest.mark.parametrize("expected", [None, len(VOXELS)])
@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_broken_data_are_a_decompression_error_and_leave_no_file(
    path_of: Callable[[int], Path], data: bytes, expected: int | None
) -> None:
    decoded = decode(path_of, data, expected)
    assert isinstance(decoded.error, errors.Decompression)
    assert "no intact gzip" in decoded.error.message
    assert not path_of(0).exists()


@given(data=st.binary(max_size=60), at=st.integers(0, 80))
@settings(max_examples=100, deadline=None)
def test_data_are_accepted_exactly_where_the_standard_library_accepts_them(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int
) -> None:
    folder = tmp_path_factory.mktemp("voxels")
    damaged = gzip.compress(b"0123456789" * 5)[:at] + data
    try:
        inflated = gzip.decompress(damaged)
    except Exception:
        inflated = None
    decoded = decode(lambda channel: folder / "0.raw", damaged)
    assert (decoded.path.read_bytes() if decoded.error is None else None) == inflated


def test_empty_data_are_an_empty_file(path_of: Callable[[int], Path]) -> None:
    assert decode(path_of, b"") == Decoded(path_of(0), 0, 100 * MIB)


@pytest.mark.parametrize(("expected", "bound"), [(1000, 1000), (None, 100 * MIB)])
def test_a_bomb_is_inflated_to_one_byte_beyond_its_bound_and_no_further(
    path_of: Callable[[int], Path], expected: int | None, bound: int
) -> None:
    bomb = gzip.compress(bytes(110 * MIB), 9)
    assert len(bomb) < MIB
    assert decode(path_of, bomb, expected) == Decoded(path_of(0), bound + 1, bound)
    assert path_of(0).stat().st_size == bound + 1


def test_a_bomb_of_many_members_is_bounded_too(path_of: Callable[[int], Path]) -> None:
    assert decode(path_of, gzip.compress(bytes(MIB)) * 50, MIB).size_bytes == MIB + 1


def test_a_volume_over_the_limit_is_refused_before_its_data(path_of: Callable[[int], Path]) -> None:
    with (
        VolumeDecoder(path_of, 1000) as decoder,
        pytest.raises(errors.TooLarge, match=r"Channel 3: .*up to 1002 bytes .* at most 1000"),
    ):
        decoder.begin(2, 10, 1002)


def test_what_is_known_beforehand_is_taken_in_place_of_the_dimensions_so_far(
    path_of: Callable[[int], Path],
) -> None:
    with VolumeDecoder(path_of, 10_000, {0: 500}) as decoder:
        send(decoder, gzip.compress(bytes(900)), expected=100)
        assert decoder.finish()[0].size_bytes == 501


@pytest.mark.parametrize("later", [b"", gzip.compress(b"later"), b"broken"])
def test_later_data_of_a_channel_take_the_place_of_earlier(
    path_of: Callable[[int], Path], later: bytes
) -> None:
    with VolumeDecoder(path_of, MIB) as decoder:
        send(decoder, gzip.compress(VOXELS))
        send(decoder, later)
        decoded = decoder.finish()[0]
    alone = decode(path_of, later)
    assert (decoded.size_bytes, str(decoded.error)) == (alone.size_bytes, str(alone.error))


def test_data_that_mend_broken_ones_count_alone(path_of: Callable[[int], Path]) -> None:
    with VolumeDecoder(path_of, MIB) as decoder:
        send(decoder, b"broken")
        send(decoder, gzip.compress(VOXELS))
        assert decoder.finish()[0].path.read_bytes() == VOXELS


def test_channels_have_their_own_files_and_fates(path_of: Callable[[int], Path]) -> None:
    with VolumeDecoder(path_of, MIB) as decoder:
        send(decoder, gzip.compress(b"one"), channel=0)
        send(decoder, b"broken", channel=1)
        send(decoder, gzip.compress(b"three"), channel=2)
        decoded = decoder.finish()
    assert [decoded[n].size_bytes for n in range(3)] == [3, 0, 5]
    assert [path_of(n).exists() for n in range(3)] == [True, False, True]


def test_files_go_when_the_decoder_closes_before_it_has_finished(path_of: Callable[[int], Path]) -> None:
    with VolumeDecoder(path_of, MIB) as decoder:
        send(decoder, gzip.compress(b"one"), channel=0)
        decoder.begin(1, 1000, None)
        decoder.write(memoryview(gzip.compress(VOXELS)[:500]))
    assert [path_of(n).exists() for n in range(2)] == [False, False]


def test_files_stay_once_the_decoder_has_finished(path_of: Callable[[int], Path]) -> None:
    assert decode(path_of, gzip.compress(b"one")).path.exists()


def test_a_writer_that_waits_is_freed_when_another_thread_closes(
    path_of: Callable[[int], Path], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "0.raw")  # opening it for writing waits for a reader, so the thread stands still
    decoder = VolumeDecoder(path_of, MIB)
    seen: list[Exception] = []

    def write_for_ever() -> None:
        try:
            decoder.begin(0, 1000, None)
            while True:
                decoder.write(memoryview(b"x"))
        except RuntimeError as error:
            seen.append(error)

    writer = threading.Thread(target=write_for_ever)
    writer.start()
    closer = threading.Thread(target=decoder.close)
    closer.start()
    writer.join(10)
    # Without O_NONBLOCK this would wait for a writer, and there is none if the close came first.
    reader = os.open(tmp_path / "0.raw", os.O_RDONLY | os.O_NONBLOCK)
    closer.join(10)
    os.close(reader)
    assert [str(error) for error in seen] == ["the volume decoder is closed"]


def test_a_defect_in_the_thread_reaches_the_caller() -> None:
    def no_path(channel: int) -> Path:
        raise LookupError("no path")

    with VolumeDecoder(no_path, MIB) as decoder:
        decoder.begin(0, 10, None)
        with pytest.raises(LookupError, match="no path"):
            decoder.finish()


def test_a_full_disk_is_an_error_of_that_channel(tmp_path: Path) -> None:
    (tmp_path / "0.raw").symlink_to("/dev/full")
    with VolumeDecoder(lambda channel: tmp_path / f"{channel}.raw", MIB) as decoder:
        send(decoder, gzip.compress(VOXELS), channel=0)
        send(decoder, gzip.compress(VOXELS), channel=1)
        decoded = decoder.finish()
    assert "No space left on device" in str(decoded[0].error)
    assert not isinstance(decoded[0].error, errors.Decompression)
    assert decoded[1].path.read_bytes() == VOXELS


WRITE_BEYOND_A_LIMIT = f"""
import gzip, resource, sys
from pathlib import Path
from segint_grpc.wire.volume_decoder import VolumeDecoder
resource.setrlimit(resource.RLIMIT_FSIZE, ({MIB}, {MIB}))
with VolumeDecoder(lambda channel: Path(sys.argv[1]), {4 * MIB}) as decoder:
    data = gzip.compress(bytes({3 * MIB}))
    decoder.begin(0, len(data), {3 * MIB})
    decoder.write(memoryview(data))
    decoder.end()
    print(decoder.finish()[0].error)
"""


def test_a_disk_that_fills_up_in_the_middle_of_a_volume_is_an_error_too(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for the disk: the first megabyte is written, the second is not."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    arguments = [sys.executable, "-c", WRITE_BEYOND_A_LIMIT, str(tmp_path / "0.raw")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "could not write the voxels" in done.stdout
    assert list(tmp_path.iterdir()) == []


WITHOUT_ISAL = """
import sys
sys.modules["isal"] = None
import numpy, pathlib
from segint_grpc.wire import fast_gzip
from segint_grpc.wire.model_output_writer import encode_mask
from segint_grpc.wire.volume_decoder import VolumeDecoder
data = encode_mask(numpy.ones((2, 3, 4), bool))
for sent in (data, data[:-3]):
    with VolumeDecoder(lambda channel: pathlib.Path(sys.argv[1]), 1000) as decoder:
        decoder.begin(0, len(sent), 24)
        decoder.write(memoryview(sent))
        decoder.end()
        decoded = decoder.finish()[0]
        print(decoded.size_bytes, type(decoded.error).__name__)
print("isal" in str(type(fast_gzip.gzip_compressor())))
"""


def test_the_standard_library_does_where_isal_is_missing(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", WITHOUT_ISAL, str(tmp_path / "0.raw")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:3] == ["24 NoneType", "0 Decompression", "False"]


def test_a_handover_keeps_order_and_never_holds_more_than_its_bound() -> None:
    handover: Handover[int] = Handover(PIECES_MAX)
    given_so_far: list[int] = []

    def give() -> None:
        for number in range(1000):
            handover.put(number)
            given_so_far.append(number)

    giver = threading.Thread(target=give)
    giver.start()
    for number in range(1000):
        assert handover.get() == number
        assert len(given_so_far) <= number + 1 + PIECES_MAX
    giver.join(10)
    assert not giver.is_alive()


def test_a_closed_handover_frees_whoever_waits_for_an_item() -> None:
    handover: Handover[int] = Handover(1)
    closer = threading.Thread(target=handover.close)
    closer.start()
    with pytest.raises(HandoverClosedError):
        handover.get()
    closer.join(10)
    with pytest.raises(HandoverClosedError):
        handover.put(1)
