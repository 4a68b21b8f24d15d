"""Tensors in JSON: written and read in pieces, wherever these are cut."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.json_tensors import FRAME_BYTES_MAX, TensorReader, written


def read(text: str | bytes, size: int = 7) -> tuple[Any, TensorReader]:
    raw = text.encode() if isinstance(text, str) else text
    reader = TensorReader()
    for start in range(0, len(raw), size):
        reader.feed(raw[start : start + size])
    return reader.finish(), reader


def answer(data: str) -> str:
    return f'{{"outputs":[{{"data":{data}}}]}}'


def tensor(text: str, dtype: str, shape: tuple[int, ...], size: int = 7) -> NDArray[Any]:
    frame, reader = read(text, size)
    return reader.tensor(frame["outputs"][0]["data"], np.dtype(dtype), shape)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 1000])
@pytest.mark.parametrize(
    "data", ["[1,0,-3,4,5,6]", "[[1, 0, -3], [4, 5, 6]]", "[[[1],[0],[-3]],\n[[4],[5],[6]]]"]
)
def test_numbers_are_the_same_however_the_text_is_cut_and_nested(data: str, size: int) -> None:
    text = f'{{"outputs": [{{"name": "m", "data" : {data}, "shape": [2, 3]}}], "id": "x"}}'
    made = tensor(text, "<i2", (2, 3), size)
    assert made.dtype == np.int16
    assert np.array_equal(made, [[1, 0, -3], [4, 5, 6]])


def test_what_stands_around_the_tensors_stays_and_their_places_are_kept() -> None:
    text = (
        '{"a": "\\"data\\": [1]", "parameters": {"data": [9]}, "outputs": [{"data": [1]}, {"data": [2, 3]}]}'
    )
    frame, reader = read(text)
    assert frame["a"] == '"data": [1]'
    made = [
        reader.tensor(one["data"], np.dtype("u1"), (count,)) for count, one in enumerate(frame["outputs"], 1)
    ]
    assert [one.tolist() for one in made] == [[1], [2, 3]]


@pytest.mark.parametrize(
    ("data", "dtype", "expected"),
    [
        ("[true, false]", "?", [True, False]),
        ("[1, 0]", "?", [True, False]),
        ("[0.5, 1e-3]", "<f4", [np.float32(0.5), np.float32(1e-3)]),
        ("[1, 2]", "<f8", [1.0, 2.0]),
        ("[255, 0]", "u1", [255, 0]),
        ("[9007199254740993, 0]", "<i8", [9007199254740993, 0]),
    ],
)
def test_every_kind_of_number_is_read_exactly(data: str, dtype: str, expected: list[Any]) -> None:
    assert tensor(answer(data), dtype, (2,)).tolist() == expected


def test_null_is_no_number_where_a_float_is_wanted() -> None:
    assert np.isnan(tensor('{"outputs":[{"data":[null, 1.5]}]}', "<f4", (2,))).tolist() == [True, False]


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ("[256, 0]", "u1"),
        ("[-1, 0]", "u1"),
        ("[2, 0]", "?"),
        ("[0.5, 1]", "u1"),
        ("[null, 1]", "<i2"),
        ("[1]", "u1"),
    ],
)
def test_numbers_that_the_datatype_or_shape_cannot_hold_are_refused(data: str, dtype: str) -> None:
    with pytest.raises(ValueError, match="numbers"):
        tensor(answer(data), dtype, (2,))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            '{"outputs":[{"data":[1,',
            '{"outputs":[{"data":[1 2]}]}',
            '{"outputs":[{"data":["AAAA"]}]}',
        ),
        *('{"outputs":[{"data":[{"b":1}]}]}', '{"outputs":[{"data":[1]]}}', "[" * 100_000),
        *('{"data":[%s' % (" " * 3_000_000), "x" * (FRAME_BYTES_MAX + 1)),
    ],
)
def test_what_is_no_response_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"it |its "):
        read(text, 100_000)


def test_a_large_tensor_takes_a_fraction_of_what_its_text_as_a_whole_would() -> None:
    count = 500_000
    piece = b",".join([b"0.123456789", b"-7.5"] * 10_000) + b","
    reader = TensorReader()
    tracemalloc.start()
    try:
        reader.feed(b'{"outputs":[{"data":[')
        for _ in range(count // 20_000):
            reader.feed(piece)
        reader.feed(b"1]}]}")
        made = reader.tensor(reader.finish()["outputs"][0]["data"], np.dtype("<f4"), (count + 1,))
        taken = tracemalloc.get_traced_memory()[1] / count
    finally:
        tracemalloc.stop()
    assert taken < 26, "bytes a number; a list of them, with its text, takes 41"
    assert made[:3].tolist() == [np.float32(0.123456789), -7.5, np.float32(0.123456789)]


def test_values_are_written_as_json_would_have_them() -> None:
    for values in (
        np.arange(150_000, dtype="<i2").reshape(3, -1),
        np.array([0.1, -2.5e-8], "<f4"),
        np.array([True]),
    ):
        text = b"".join(written(values))
        assert np.array_equal(np.array(json.loads(b"[" + text + b"]"), values.dtype), values.reshape(-1))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_json_cannot_hold_is_not_sent(value: float) -> None:
    with pytest.raises(errors.ModelFailure, match="infinite or no number"):
        list(written(np.array([1.0, value])))
