from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.access import Scope
from segint_grpc.domain.tokens import Token, digest_of, id_of, matches, new_secret
from segint_grpc.domain.users import weakness
from segint_grpc.service import passwords
from segint_grpc.store.token_key import load_or_make_key

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
KEY = bytes(32)


def token(**changes: datetime | None) -> Token:
    return Token("abcd1234", "a room", Scope.CLIENT, NOW, **changes)  # type: ignore[arg-type]


def test_a_new_token_has_an_id_and_256_secret_bits_and_is_never_the_same() -> None:
    first, second = new_secret(), new_secret()
    assert id_of(first)
    assert len(first) == len("segint_") + 8 + 1 + 43
    assert first != second


@pytest.mark.parametrize(
    "text",
    ["", "segint_", "segint_abcd1234", f"segint_ABCD1234_{'a' * 43}", f"segint_abcd1234_{'a' * 44}", "é"],
)
def test_what_has_not_the_form_of_a_token_has_no_id(text: str) -> None:
    assert id_of(text) is None


def test_a_token_is_known_by_its_digest_under_the_servers_own_key_alone() -> None:
    secret = new_secret()
    digest = digest_of(secret, KEY)
    assert secret.encode() not in digest
    assert matches(secret, digest, KEY)
    assert not matches(secret, digest, b"\1" * 32)
    assert not matches(new_secret(), digest, KEY)


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({}, True),
        ({"expires_at": NOW + timedelta(seconds=1)}, True),
        ({"expires_at": NOW}, False),
        ({"revoked_at": NOW}, False),
    ],
)
def test_a_token_counts_until_it_expires_or_is_revoked(changes: dict[str, datetime], valid: bool) -> None:
    assert token(**changes).valid(NOW) is valid


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "token.key"
    key = load_or_make_key(path)
    assert len(key) == 32
    assert load_or_make_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["token.key"]


def test_a_broken_key_is_refused_rather_than_replaced(tmp_path: Path) -> None:
    path = tmp_path / "token.key"
    path.write_bytes(b"short")
    with pytest.raises(errors.StartRefused, match="every token has to be made anew"):
        load_or_make_key(path)
    assert path.read_bytes() == b"short"


def test_a_password_is_known_by_its_hash_which_is_another_each_time() -> None:
    kept = passwords.hashed("nine slow green rivers")
    assert "rivers" not in kept
    assert passwords.verified("nine slow green rivers", kept)
    assert not passwords.verified("nine slow green river", kept)
    assert passwords.hashed("nine slow green rivers") != kept


@pytest.mark.parametrize(
    "password",
    [
        "",
        "elevenchars",
        "x" * 257,
        "aaaaaaaaaaaaaaaa",
        "ababababababab",
        "aaaaaaaa1234",
        "abcabcabcabc1",
        "123456789012",
        "Password123!",
        "!!passwordpassword",
        "Administrator1",
        "ada.lovelace1842",
        "tab\tin the middle",
    ],
)
def test_a_weak_password_is_refused_with_a_reason(password: str) -> None:
    assert weakness(password, "ada.lovelace")


@pytest.mark.parametrize(
    "password", ["nine slow green rivers", "Zwölf Boxkämpfer jagen", "kT7#pq9!Lw2x", "adagio and lace"]
)
def test_a_long_password_is_taken_whatever_it_is_made_of(password: str) -> None:
    assert weakness(password, "ada.lovelace") is None
