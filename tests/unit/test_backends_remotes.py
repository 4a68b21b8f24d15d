"""Which servers a model may be on: what a URL may be, and what the settings allow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from segint_grpc import errors
from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.open_inference import OpenInference
from segint_grpc.domain.remotes import HERE_ALONE, RemoteRules, parse_url
from segint_grpc.service.remotes import remote_rules
from segint_grpc.settings import Settings
from tests.real_models import CHANNELS, STRUCTURES


def source(remotes: RemoteRules = HERE_ALONE, **parameters: Any) -> ModelSource:
    return ModelSource("v", STRUCTURES, CHANNELS, parameters=parameters, remotes=remotes)


@pytest.mark.parametrize(
    "url",
    [
        *("", "gpu:8000", "ftp://gpu", "http://", "http://gpu:0", "http://gpu:70000", "http://gpu/../x"),
        *("http://ada:s3cret@gpu", "http://gpu?token=s3cret", "http://gpu#x", "http://gpu /", "http://gpu\n"),
        *("http://gpu\\@evil", "http://[::1", "http://[:::]", "http://-gpu", 5, None),
    ],
)
def test_a_url_that_is_none_or_holds_a_credential_is_refused_and_not_repeated(url: Any) -> None:
    with pytest.raises(
        errors.InvalidModel, match="parameter url must be a URL as https://HOST:PORT"
    ) as caught:
        OpenInference().check(source(url=url, model="m"))
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "parameter model must be a name"),
        ({"model": ".."}, "parameter model must be a name"),
        ({"model": "a\nb"}, "parameter model must be a name"),
        ({"model": "m", "model_version": ""}, "parameter model_version must be"),
        ({"model": "m", "timeout_s": 0}, "parameter timeout_s must be seconds"),
        ({"model": "m", "timeout_s": True}, "parameter timeout_s must be seconds"),
        ({"model": "m", "binary": "maybe"}, "parameter binary must be auto, true or false"),
        ({"model": "m", "binary": 1.5}, "parameter binary must be auto, true or false"),
        ({"model": "m", "axes": "XYZ"}, "axes must hold D, H and W"),
        ({"model": "m", "token": "s3cret"}, "no parameter 'token'"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_without_asking_the_server(
    parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(errors.InvalidModel, match=words):
        OpenInference().check(source(url="http://127.0.0.1:9", **parameters))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost", "https://[::1]:8443/models"])
def test_a_server_on_this_machine_needs_no_setting(url: str) -> None:
    OpenInference().check(source(url=url, model="m"))


@pytest.mark.parametrize(
    "url", ["https://gpu.clinic.example", "http://10.1.2.3:8000", "http://127.0.0.1.evil.example", "http://0"]
)
def test_a_server_elsewhere_is_refused_with_the_line_that_allows_it(url: str) -> None:
    with pytest.raises(errors.InvalidModel) as caught:
        OpenInference().check(source(url=url, model="m"))
    line = re.search(r'open_inference_servers = \["(.*?)"\]', caught.value.message)
    assert line is not None
    rules = remote_rules(Settings(open_inference_servers=(line[1],)))
    OpenInference().check(source(rules, url=url, model="m"))


@pytest.mark.parametrize(
    "url", ["http://gpu:8443", "https://gpu:8444", "https://other:8443", "https://gpu.clinic.example:8443"]
)
def test_what_is_allowed_is_one_scheme_one_host_and_one_port(url: str) -> None:
    rules = remote_rules(Settings(open_inference_servers=("https://GPU:8443",)))
    OpenInference().check(source(rules, url="https://gpu:8443/path", model="m"))
    with pytest.raises(errors.InvalidModel, match="lists https://gpu:8443"):
        OpenInference().check(source(rules, url=url, model="m"))


def test_the_process_that_sends_asks_again() -> None:
    with pytest.raises(errors.InvalidModel, match="No scan may be sent to"):
        OpenInference().load(source(url="http://10.1.2.3:8000", model="m"))


@pytest.mark.parametrize("entry", ["gpu", "https://gpu/path", "https://ada:s3cret@gpu", "*"])
def test_a_server_in_the_settings_that_is_none_is_refused(entry: str) -> None:
    with pytest.raises(errors.InvalidSetting, match="open_inference_servers: entry 1 is no ") as caught:
        remote_rules(Settings(open_inference_servers=(entry,)))
    assert "s3cret" not in caught.value.message


def test_files_of_the_settings_are_looked_for_in_the_home(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidSetting, match="open_inference_ca: there is no file"):
        remote_rules(Settings(home=str(tmp_path), open_inference_ca="tls/our.pem"))
    (tmp_path / "our.pem").write_text("")
    rules = remote_rules(Settings(home=str(tmp_path), open_inference_ca="our.pem"))
    assert rules.authority == tmp_path / "our.pem"
    assert rules.tokens == tmp_path / "open_inference"


def test_an_origin_is_written_as_it_is_read() -> None:
    for text in ("https://gpu:443", "http://[::1]:8000", "http://10.1.2.3:80"):
        assert str(parse_url(text)[0]) == text
