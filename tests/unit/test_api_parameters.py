from __future__ import annotations

from google.protobuf.struct_pb2 import Struct

from segint_grpc.api.model_messages import _parameters


def test_keys_come_in_one_order_at_every_depth() -> None:
    parameters = Struct()
    parameters.update({"z": 1, "ranges": {name: {"d": 1, "c": 2} for name in "hgfedcba"}, "a": 2})
    found = _parameters(parameters)
    assert list(found) == ["a", "ranges", "z"]
    assert list(found["ranges"]) == list("abcdefgh")
    assert list(found["ranges"]["a"]) == ["c", "d"]
