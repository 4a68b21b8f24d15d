"""Users with passwords, for a console on the server's side; and which passwords are refused as weak."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from segint_grpc.domain.access import Scope

PASSWORD_MIN, PASSWORD_MAX = 12, 256
NAME = re.compile(r"[a-z][a-z0-9._-]{0,31}", re.ASCII)

_WORDS = """
password passwort passw0rd welcome willkommen letmein changeme default administrator admin segint radiotherapy
radiology radiologie hospital klinikum clinic velocity varian oncology physics research qwertyuiop qwertzuiop
asdfghjkl yxcvbnm zxcvbnm iloveyou sunshine princess football baseball dragon monkey master superman batman
trustno correcthorsebatterystaple abcdefghijkl abcdefghijklmnop qwertyuiopasdfghjkl qazwsxedcrfv secret
"""
_COMMON = frozenset(_WORDS.split())
"""What lists of leaked passwords begin with, and what would be guessed here first; compared without case,
digits at either end and what stands between."""


@dataclass(frozen=True, slots=True)
class User:
    """A user; times are UTC."""

    name: str
    scope: Scope
    created_at: datetime
    password_set_at: datetime
    disabled_at: datetime | None = None

    @property
    def principal(self) -> str:
        """Whose jobs are those that the user has posted."""
        return f"user:{self.name}"


def weakness(password: str, name: str) -> str | None:
    """Return why `password` of the user `name` is refused, as a sentence; None where it is not.

    It must be long and not on everybody's list. Of which kinds of characters it is does not matter: rules
    for that make passwords that are hard to remember and easy to guess (NIST SP 800-63B, 5.1.1.2).
    """
    if len(password) < PASSWORD_MIN:
        return f"It has {len(password)} characters; take {PASSWORD_MIN} or more, a sentence for instance."
    if len(password) > PASSWORD_MAX:
        return f"It has {len(password)} characters; at most {PASSWORD_MAX} are taken."
    if not password.isprintable():
        return "It holds characters that cannot be typed everywhere; leave them out."
    core = _core(password)
    if len(set(password.lower())) < 5 or len(set(core)) <= 3 < len(core):
        return "It repeats a few characters; take a sentence for instance."
    if not core or core in _COMMON or any(core == word * (len(core) // len(word)) for word in _COMMON):
        return "It is one of those that are guessed first; take a sentence for instance."
    if core in (_core(name), _core(name) * 2) or password.lower() == name:
        return "It is the user's name; take a sentence for instance."
    return None


def _core(text: str) -> str:
    """Return the letters of `text` in lower case, with digits and signs left out."""
    return "".join(letter for letter in text.lower() if letter.isalpha())
