"""Who makes room for whom, when there are too many connections."""

from __future__ import annotations

from dataclasses import dataclass, field

from http_gateway.census import Census
from http_gateway.metrics import Metrics


@dataclass(eq=False)
class Guest:
    """A connection of which only the census knows; `since` as `idle_since` has it."""

    address: str = "10.1.2.3"
    since: float | None = 0.0
    left: list[str] = field(default_factory=list)

    def idle_since(self) -> float | None:
        return self.since

    def leave(self) -> None:
        self.left.append("left")


def figure(metrics: Metrics, line: str) -> bool:
    return line in metrics.expose().decode().splitlines()


def test_the_one_that_is_idle_longest_makes_room() -> None:
    census = Census(3, 3, Metrics())
    guests = [Guest(since=5.0), Guest(since=2.0), Guest(since=None)]
    assert all(census.admit(guest) for guest in guests)
    assert census.admit(Guest())
    assert [guest.left for guest in guests] == [[], ["left"], []]


def test_an_address_with_too_many_makes_room_itself_and_takes_none_of_others() -> None:
    census = Census(10, 2, Metrics())
    other, busy = Guest("10.9.9.9"), [Guest(since=None), Guest(since=None)]
    assert all(census.admit(guest) for guest in [other, *busy])
    assert not census.admit(Guest())
    assert other.left == []
    busy[0].since = 1.0
    assert census.admit(Guest())
    assert busy[0].left == ["left"]


def test_whoever_is_forgotten_twice_counts_once() -> None:
    metrics = Metrics()
    census, guest = Census(1, 1, metrics), Guest(since=None)
    assert census.admit(guest)
    census.forget(guest)
    census.forget(guest)
    assert figure(metrics, "segint_http_connections 0.0")
    assert census.admit(Guest())


def test_a_successor_takes_the_place() -> None:
    metrics = Metrics()
    census, guest, successor = Census(1, 1, metrics), Guest(since=None), Guest(since=None)
    census.admit(guest)
    census.replace(guest, successor)
    census.forget(guest)
    assert not census.admit(Guest())
    assert figure(metrics, 'segint_http_connections_turned_away_total{limit="address",which="refused"} 1.0')
    census.forget(successor)
    assert census.admit(Guest())
