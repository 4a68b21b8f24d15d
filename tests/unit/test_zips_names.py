from __future__ import annotations

import pytest

from segint_grpc.zips.names import LENGTH_MAX, clash, problem_with


@pytest.mark.parametrize("name", ["net.py", "weights/fold 1/net-2.pt", "Größe.nii.gz", "a" * LENGTH_MAX])
def test_ordinary_names_are_taken(name: str) -> None:
    assert problem_with(name) == ""


@pytest.mark.parametrize(
    "name",
    [
        *("", "/a", "a/", "a//b", "..", "a/..", "./a", "C:a", "c:/a", "a\\b", "a:b", "a\0", "a\nb", "a*"),
        *(" a", "a ", "a.", ".hidden", "a/.b", "NUL", "com1.txt", "a/aux.py", "a\u202egnp.py", "a\u2028b"),
        *("a" * (LENGTH_MAX + 1), "ä" * LENGTH_MAX, "\ud800"),
    ],
)
def test_names_that_mean_another_file_somewhere_are_refused(name: str) -> None:
    assert problem_with(name)


def test_names_that_are_one_file_somewhere_clash() -> None:
    assert clash(["a", "b", "c/d", "c/e"]) is None
    assert clash(["a", "A"]) == ("a", "A")
    assert clash(["\u00e9", "e\u0301"]) == ("\u00e9", "e\u0301")
    assert clash(["a", "a/b"]) == ("a", "a/b")
    assert clash(["a/b", "A"]) == ("a/b", "A")
    assert clash(["straße", "STRASSE"]) == ("straße", "STRASSE")
