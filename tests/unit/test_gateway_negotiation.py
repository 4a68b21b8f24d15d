from __future__ import annotations

import pytest

from http_gateway.negotiation import media_type, wants_protobuf


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "application/x-protobuf",
        "Application/X-Protobuf",
        "application/json, application/x-protobuf",
        "application/x-protobuf;q=0.9, application/json;q=0.9",
        "application/x-protobuf; q=0.5, text/html",
        "text/html, application/x-protobuf;q=0.8, */*;q=0.1",
        "*/*;q=0.9, application/json;q=0.2, application/x-protobuf;q=0.3",
        "application/x-protobuf;q=nonsense",
        "application/x-protobuf; messageType=x",
    ],
)
def test_protobuf_answers_where_the_header_is_missing_or_names_protobuf_not_below_json(accept: str) -> None:
    assert wants_protobuf(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        "application/*",
        "text/html,application/xhtml+xml,*/*;q=0.8",
        "application/x-protobuf;q=0.5, application/json",
        "application/x-protobuf;q=0.5, */*",
        "application/x-protobuf;q=0.5, application/*;q=0.6",
        "application/x-protobuf;q=0",
        "application/x-protobuffer",
        "application/protobuf",
        "nonsense",
    ],
)
def test_json_answers_every_other_header(accept: str) -> None:
    assert not wants_protobuf(accept)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("application/x-protobuf", "application/x-protobuf"),
        ("Application/X-PROTOBUF ; charset=utf-8", "application/x-protobuf"),
        ("text/html;q=1", "text/html"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_media_type_is_compared_without_case_and_parameters(header: str | None, kind: str) -> None:
    assert media_type(header) == kind
