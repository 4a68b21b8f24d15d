"""A version's way to clients: its states, and the table of what each act makes of them."""

from __future__ import annotations

from enum import StrEnum

from segint_grpc import errors


class VersionState(StrEnum):
    """Where a version is; the values are what the database holds."""

    DRAFT = "draft"
    CHECKED = "checked"
    ACTIVE = "active"
    RETIRED = "retired"


class Act(StrEnum):
    """What is done to a version; the values are what the record of events holds."""

    SET_RUNTIME = "runtime set"
    REDEFINE = "redefined"
    PASS_CHECK = "check passed"
    FAIL_CHECK = "check failed"
    ACTIVATE = "activated"
    FORCE = "activated by force"
    RETIRE = "retired"


DRAFT, CHECKED, ACTIVE, RETIRED = VersionState

TRANSITIONS: dict[Act, dict[VersionState, VersionState]] = {
    Act.SET_RUNTIME: dict.fromkeys(VersionState, DRAFT),
    Act.REDEFINE: dict.fromkeys(VersionState, DRAFT),
    Act.PASS_CHECK: {DRAFT: CHECKED, CHECKED: CHECKED, ACTIVE: ACTIVE, RETIRED: RETIRED},
    Act.FAIL_CHECK: {DRAFT: DRAFT, CHECKED: DRAFT, ACTIVE: ACTIVE, RETIRED: DRAFT},
    Act.ACTIVATE: {CHECKED: ACTIVE, ACTIVE: ACTIVE, RETIRED: ACTIVE},
    Act.FORCE: {DRAFT: ACTIVE, CHECKED: ACTIVE, ACTIVE: ACTIVE, RETIRED: ACTIVE},
    Act.RETIRE: {ACTIVE: RETIRED, RETIRED: RETIRED},
}
"""DRAFT: not checked as it now is. CHECKED: its check has passed. ACTIVE: offered to clients. RETIRED: was.

What has failed a check while it was offered stays offered: to take it from clients is a person's decision.
"""


def after(state: VersionState, act: Act) -> VersionState:
    """Return the state that `act` makes of `state`.

    Raises:
        NotNow: the table does not allow it.
    """
    following = TRANSITIONS[act].get(state)
    if following is None:
        allowed = " or ".join(before.name for before in TRANSITIONS[act])
        raise errors.NotNow(f"A version that is {state.name} cannot be {act}; it would have to be {allowed}.")
    return following
