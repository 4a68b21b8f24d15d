from __future__ import annotations

import pytest

from segint_grpc import errors
from segint_grpc.domain.access import Caller, Door, Limits, Scope
from segint_grpc.service import throttle
from segint_grpc.service.post_rate import PostRate
from segint_grpc.service.throttle import Throttle


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fails(slow: Throttle, address: str = "192.0.2.7") -> float:
    """Show a bad token; return for how long the address has to wait, 0 where it may go on."""
    try:
        slow.failed(address)
    except errors.TooOften as error:
        return error.retry_s
    return 0.0


def test_pauses_double_from_the_limit_on_and_no_further_than_the_longest(clock: Clock) -> None:
    slow, pauses = Throttle(3, 5.0, clock), []
    assert [fails(slow), fails(slow)] == [0, 0]
    for _ in range(5):
        assert fails(slow) == 0
        pauses.append(fails(slow))
        clock.now_s += pauses[-1]
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_try_during_a_pause_does_not_lengthen_it(clock: Clock) -> None:
    slow = Throttle(1, 60.0, clock)
    fails(slow)
    clock.now_s += 0.75
    assert fails(slow) == pytest.approx(0.25)
    clock.now_s += 0.25
    assert fails(slow) == 0


def test_other_addresses_are_not_concerned(clock: Clock) -> None:
    slow = Throttle(1, 60.0, clock)
    fails(slow)
    assert fails(slow) > 0
    assert fails(slow, "192.0.2.8") == 0


def test_one_machines_ipv6_addresses_count_as_one(clock: Clock) -> None:
    slow = Throttle(1, 60.0, clock)
    fails(slow, "2001:db8::1")
    assert fails(slow, "2001:db8::ffff") > 0
    assert fails(slow, "2001:db8:0:1::1") == 0


def test_an_address_that_was_quiet_begins_anew(clock: Clock) -> None:
    slow = Throttle(2, 60.0, clock)
    fails(slow)
    clock.now_s += throttle.FORGOTTEN_S + 1
    fails(slow)
    assert fails(slow) == 0


def test_no_more_than_so_many_addresses_are_remembered(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "ADDRESSES_MAX", 2)
    slow = Throttle(1, 60.0, clock)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        fails(slow, address)
    assert fails(slow, "192.0.2.3") > 0
    assert fails(slow, "192.0.2.2") > 0
    assert fails(slow, "192.0.2.1") == 0


def poster(limit: int) -> Caller:
    return Caller(Door.TCP, "token:abcd1234", Scope.CLIENT, limits=Limits(posts_per_minute=limit))


def test_a_token_posts_so_many_scans_within_any_minute(clock: Clock) -> None:
    rate = PostRate(clock)
    rate.count(poster(2))
    clock.now_s += 50
    rate.count(poster(2))
    with pytest.raises(errors.TooOften, match="2 scans a minute") as caught:
        rate.count(poster(2))
    assert caught.value.retry_s == pytest.approx(10)
    clock.now_s += 10
    rate.count(poster(2))


def test_without_a_limit_nothing_is_counted(clock: Clock) -> None:
    rate = PostRate(clock)
    for _ in range(100):
        rate.count(poster(0))
