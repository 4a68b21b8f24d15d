from __future__ import annotations

from collections.abc import Callable

import pytest

from http_gateway.routes import ROUTES
from http_gateway.routing import Route, Router

ROUTER = Router(ROUTES)


def found(path: str) -> tuple[str, dict[str, str]] | None:
    match = ROUTER.find(path)
    return (match.path, dict(match.parameters)) if match else None


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("spell", [str, str.upper, str.lower])
def test_every_route_is_found_in_any_case_with_and_without_a_slash(
    route: Route, slash: str, spell: Callable[[str], str]
) -> None:
    path = spell(route.path.rstrip("/")).replace("{MODEL}", "{model}").replace("{ID}", "{id}") + slash
    match = ROUTER.find(path.replace("{model}", "M").replace("{id}", "I"))
    assert match is not None
    assert match.routes[route.method] is route


def test_ids_stay_exact_and_are_percent_decoded() -> None:
    path = "/API/v2/model/Centered%20Orange%2FSqu%C3%A4re/Segmentation/AbC"
    assert found(path) == (
        "/api/v2/Model/{model}/segmentation/{id}",
        {"model": "Centered Orange/Squäre", "id": "AbC"},
    )


def test_a_fixed_part_may_be_percent_encoded_too() -> None:
    assert found("/%70ing") == ("/ping", {})


def test_a_plus_in_an_id_is_a_plus() -> None:
    match = found("/api/v2/Model/a+b/segmentation")
    assert match is not None
    assert match[1] == {"model": "a+b"}


@pytest.mark.parametrize("path", ["/api/v2/Model/%FF%FE/segmentation", "/api/v2/Model/\udcff/segmentation"])
def test_bytes_that_are_no_utf8_become_an_id_that_a_message_can_hold(path: str) -> None:
    match = found(path)
    assert match is not None
    assert match[1]["model"].encode()


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "*",
        "//ping",
        "/ping//",
        "/ping/x",
        "/api",
        "/api/v2/Model//segmentation",
        "/api/v2/Model/m/segmentation/i/results",
        "/api/v2/Model/m/segmentation/i/result/x",
        "/api/v2/Model/../ping",
        "/api/v1/Credits",
    ],
)
def test_any_other_path_is_nothing(path: str) -> None:
    assert found(path) is None


def test_the_methods_of_a_path_are_found_together() -> None:
    match = ROUTER.find("/api/v2/Model/m/segmentation/i")
    assert match is not None
    assert list(match.routes) == ["GET", "DELETE"]
