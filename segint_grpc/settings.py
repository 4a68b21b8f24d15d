"""Every setting: its name, default, unit and explanation, and where its value came from.

A value comes from, the later winning: the default, `segint.toml` in the home, the environment
(`SEGINT_` and the name in capitals), the command line.
"""

from __future__ import annotations

import difflib
import os
import tomllib
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from segint_grpc import errors, interpreters

CONFIG_NAME = "segint.toml"
MIB = 1024 * 1024


SWITCH = ("on", "off")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
OTHER_VARIABLES = frozenset(
    {"SEGINT_SERVER", "SEGINT_GRPC_SERVER", "SEGINT_TOKEN", "SEGINT_TOKEN_FILE"}
    | {"SEGINT_CA", "SEGINT_CERTIFICATE", "SEGINT_KEY"}
)
"""What else of this project is read from the environment: the command line's server, token and files."""

OPEN, TOKEN, NETWORK = CLIENT_MODES = ("open", "token", "network")
"""What a client needs: nothing, a token, or an address in one of the networks of `allow`."""


def _setting(
    default: Any,
    explanation: str,
    *,
    minimum: float | None = None,
    choices: tuple[str, ...] = (),
    check: Callable[[Any], object] | None = None,
) -> Any:
    metadata = {"explanation": explanation, "minimum": minimum, "choices": choices, "check": check}
    return field(default=default, metadata=metadata)


def default_home() -> Path:
    """Return the home in the user's data folder (XDG Base Directory specification)."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "segint"


@dataclass(frozen=True)
class Settings:
    """The settings of one server. `_s` is seconds, `_bytes` bytes; lists are comma-separated."""

    home: str = _setting(
        "", "Folder with the database, the media files and the logs; empty: the user's data folder"
    )
    http: str = _setting(
        "127.0.0.1:8000", "Address and port for Velocity, not encrypted; port 0 takes a free one; empty: none"
    )
    https: str = _setting("", "Address and port for HTTP with TLS; asks for tls_certificate; empty: none")
    grpc: str = _setting("127.0.0.1:50051", "Address and port for gRPC clients; port 0 takes a free one")
    allow: tuple[str, ...] = _setting(
        (), "Networks (CIDR) that may connect; asked for when listening beyond loopback"
    )
    client_mode: str = _setting(
        "",
        "What clients need: open (nothing), token, network (see allow); empty: network if allow is given",
        choices=("", *CLIENT_MODES),
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (), "Networks (CIDR) of the proxies whose X-Forwarded-For is believed"
    )
    health: str = _setting(
        OPEN,
        "What health, reflection and /openapi.json need: open (nothing) or token",
        choices=(OPEN, TOKEN),
    )
    metrics_allow: tuple[str, ...] = _setting(
        (), "Networks (CIDR) that may read /metrics with TLS, beside this machine"
    )
    bad_tokens_max: int = _setting(
        10, "Bad tokens from one address in a row before it has to wait between them", minimum=1
    )
    bad_token_pause_s: float = _setting(
        60.0, "Longest time that an address has to wait after a bad token", minimum=1
    )
    public_url: str = _setting("", "URL under which clients reach the server; empty: from the request's Host")
    core: str = _setting("", "Where the gateway finds the core; empty: the gateway's socket in the home")
    core_ca: str = _setting("", "PEM file with the authority of a core that the gateway reaches with TLS")
    core_certificate: str = _setting("", "PEM file with the certificate that the gateway shows to that core")
    core_key: str = _setting("", "PEM file with the key of core_certificate")

    tls_certificate: str = _setting(
        "", "PEM file with the server's certificate and those between it and its authority; empty: no TLS"
    )
    tls_key: str = _setting("", "PEM file with the key of tls_certificate, without a passphrase")
    tls_client_ca: str = _setting(
        "", "PEM file with the authority whose certificate every client with TLS must show; empty: none asked"
    )

    connections_max: int = _setting(1000, "Most HTTP connections at a time", minimum=1)
    connections_per_address_max: int = _setting(
        300, "Most HTTP connections of one address (with IPv6, of one /64) at a time", minimum=1
    )
    header_timeout_s: float = _setting(
        20.0, "A connection without a whole request line and headers is closed after this", minimum=0.1
    )
    header_max_bytes: int = _setting(8190, "Longest request line and longest header", minimum=1024)
    headers_max: int = _setting(64, "Most headers of one request", minimum=16)
    keep_alive_s: float = _setting(
        75.0, "An HTTP connection without a request is closed after this", minimum=0.1
    )
    silence_s: float = _setting(
        60.0,
        "A client that sends nothing of a body, or takes nothing, for this long is given up",
        minimum=0.1,
    )
    body_rate_min_bytes: int = _setting(
        16_384, "Least bytes a second, on average over silence_s, that a body must come with", minimum=0
    )
    grpc_connections_max: int = _setting(500, "Most gRPC connections over TCP at a time", minimum=1)
    grpc_calls_max: int = _setting(2000, "Most gRPC calls over TCP at a time", minimum=1)
    grpc_streams_max: int = _setting(1000, "Most gRPC calls of one connection at a time", minimum=1)
    grpc_metadata_max_bytes: int = _setting(16_384, "Largest metadata of one gRPC call", minimum=4096)
    grpc_message_max_bytes: int = _setting(
        4 * MIB, "Largest gRPC message; whatever is larger is streamed", minimum=2 * MIB
    )
    grpc_ping_interval_min_s: float = _setting(
        10.0, "A gRPC connection that pings more often than this is closed", minimum=0.01
    )
    grpc_idle_s: float = _setting(600.0, "A gRPC connection without a call is closed after this", minimum=1)
    grpc_connection_age_s: float = _setting(
        3600.0, "A gRPC connection takes no new calls after this; its client opens another", minimum=1
    )

    upload_max_bytes: int = _setting(2048 * MIB, "Largest posted body", minimum=1)
    voxels_max: int = _setting(536_870_912, "Most voxels of one volume (512 x 512 x 2048)", minimum=1)
    channels_max: int = _setting(8, "Most channels of one request", minimum=1)
    queue_max: int = _setting(100, "Most unfinished jobs at a time", minimum=1)
    free_disk_min_bytes: int = _setting(
        2048 * MIB, "Scans and feedback are refused while less disk than this is free", minimum=0
    )
    json_max_bytes: int = _setting(64 * MIB, "Largest result that is translated into JSON", minimum=1)

    slots: int = _setting(
        0, "Jobs that run at the same time; 0: one for every two processor cores", minimum=0
    )
    slot_memory_bytes: int = _setting(
        0, "Address space of one model's process; 0: all of the machine's memory", minimum=0
    )
    interpreters: tuple[str, ...] = _setting(
        (),
        "Pythons that versions may name to run in, NAME=/path/to/bin/python (docs/interpreters.md)",
        check=interpreters.parse,
    )
    warm_models_max: int = _setting(4, "Models kept loaded while idle", minimum=0)
    warm_memory_bytes: int = _setting(
        0, "Memory that loaded models may hold together; 0: half of the machine's", minimum=0
    )
    job_deadline_s: float = _setting(
        1185.0, "A job that has not ended after this fails; Velocity waits 1200", minimum=1
    )
    deadline_check: str = _setting(
        "on",
        "Refuse a scan whose job, by its version's history, cannot end before its deadline: on or off",
        choices=SWITCH,
    )
    check_step_s: float = _setting(
        120.0, "A check fails when the model takes longer than this for a phantom", minimum=1
    )
    attempts_max: int = _setting(
        2, "Runs of a job that are cut short from outside before it fails", minimum=1
    )

    open_inference_servers: tuple[str, ...] = _setting(
        (), "Servers (https://HOST:PORT), beside this machine, whose models may be sent scans"
    )
    open_inference_ca: str = _setting(
        "", "PEM file with the authority of these servers; empty: those that the machine knows"
    )
    open_inference_answer_max_bytes: int = _setting(
        4096 * MIB, "Largest answer of such a server; more is not read", minimum=MIB
    )

    failed_body_retention_s: float = _setting(
        86_400.0, "How long the posted scan of a failed job is kept", minimum=0
    )
    result_retention_s: float = _setting(604_800.0, "How long masks can be fetched", minimum=0)
    row_retention_s: float = _setting(
        0.0, "How long a job's row, runs and feedback are kept; 0: always", minimum=0
    )

    audit_retention_s: float = _setting(
        189_345_600.0, "How long the audit log keeps a record (6 years); 0: always", minimum=0
    )
    audit_syslog: str = _setting(
        "",
        "Where the audit log is forwarded to: journald, unix:/dev/log, udp://HOST:PORT, tcp://HOST:PORT",
    )

    stop_grace_s: float = _setting(
        6.0, "Time for requests and jobs in progress when the server stops", minimum=0
    )
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR", choices=LOG_LEVELS)
    log_max_bytes: int = _setting(20 * MIB, "Size at which a log file is rotated", minimum=1024)
    log_files: int = _setting(5, "Rotated log files that are kept", minimum=0)

    @property
    def mode(self) -> str:
        """What clients need, one of `CLIENT_MODES`."""
        return self.client_mode or (NETWORK if self.allow else OPEN)

    @property
    def interpreter_paths(self) -> dict[str, str]:
        """Name → absolute path of the Pythons in `interpreters`."""
        return interpreters.parse(self.interpreters)

    @property
    def home_path(self) -> Path:
        """The home as an absolute path."""
        return Path(self.home).expanduser().absolute() if self.home else default_home()


@dataclass(frozen=True)
class Source:
    """A setting's value and the place that set it: default, file, environment or command line."""

    value: Any
    origin: str


def load(
    overrides: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings from file, `environment` (default: the process's) and `overrides`.

    Raises:
        InvalidSetting: a name is unknown, or a value is of the wrong type or below its minimum.
    """
    return Settings(**{name: source.value for name, source in explain(overrides, environment).items()})


def explain(
    overrides: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, Source]:
    """Return every setting's value with its origin, in the order of `Settings`; raises as `load`."""
    environment = os.environ if environment is None else environment
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    from_environment = _read_environment(environment)
    home = given.get("home") or from_environment.get("home") or ""
    sources = {f.name: Source(f.default, "default") for f in fields(Settings)}
    layers = (
        (CONFIG_NAME, _read_file(Settings(home=str(home)).home_path / CONFIG_NAME)),
        ("environment", from_environment),
        ("command line", given),
    )
    for origin, layer in layers:
        for name, value in layer.items():
            sources[name] = Source(_parse(name, value, origin), origin)
    sources["home"] = Source(str(Settings(home=str(home)).home_path), sources["home"].origin)
    return sources


def variable(name: str) -> str:
    """Return the environment variable of the setting `name`."""
    return f"SEGINT_{name.upper()}"


def explanation(name: str) -> str:
    """Return the sentence that explains the setting `name`."""
    return str(_field(name, "settings").metadata["explanation"])


def _read_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what is a setting, and what is so like one that it must be a slip; leave the rest alone."""
    known = [f.name for f in fields(Settings)]
    prefixed = (name for name in environment if name.startswith(variable("")) and name not in OTHER_VARIABLES)
    given = {name.removeprefix(variable("")).lower(): environment[name] for name in prefixed}
    return {name: value for name, value in given.items() if difflib.get_close_matches(name, known, n=1)}


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise errors.InvalidSetting(f"{path} cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.InvalidSetting(f"{path} is no valid TOML: {error}") from None


def _field(name: str, origin: str) -> Any:
    known = {f.name: f for f in fields(Settings)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else " `segint config show` lists them all."
        raise errors.InvalidSetting(f"{origin}: there is no setting {name}.{hint}")
    return known[name]


def _parse(name: str, value: Any, origin: str) -> Any:
    entry = _field(name, origin)
    kind = typing.get_type_hints(Settings)[name]
    try:
        parsed = _convert(kind, value)
    except (TypeError, ValueError):
        wanted = "a list of strings" if kind not in (int, float, str) else f"of type {kind.__name__}"
        raise errors.InvalidSetting(f"{origin}: {name} must be {wanted}, not {value!r}.") from None
    choices = entry.metadata["choices"]
    if choices and parsed not in choices:
        wanted = ", ".join(choices)
        raise errors.InvalidSetting(f"{origin}: {name} must be one of {wanted}, not {value!r}.")
    minimum = entry.metadata["minimum"]
    if minimum is not None and not parsed >= minimum:
        raise errors.InvalidSetting(f"{origin}: {name} must be at least {minimum}, not {value!r}.")
    _check(entry, parsed, origin)
    return parsed


def _check(entry: Any, parsed: Any, origin: str) -> None:
    check = entry.metadata["check"]
    try:
        if check is not None:
            check(parsed)
    except ValueError as error:
        raise errors.InvalidSetting(f"{origin}: {entry.name}: {error}.") from None


def _convert(kind: Any, value: Any) -> Any:
    if kind in (int, float):
        if isinstance(value, bool):
            raise TypeError
        if kind is int and isinstance(value, float):
            raise TypeError
        return kind(value)
    if kind is str:
        if not isinstance(value, str):
            raise TypeError
        return value
    if isinstance(value, dict):
        value = [f"{key}={_convert(str, entry)}" for key, entry in value.items()]
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(_convert(str, part).strip() for part in parts if part)
