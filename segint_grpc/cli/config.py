"""`segint config show`: every setting, its value, where that came from, and what it means."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from segint_grpc.settings import CONFIG_NAME, MIB, Settings, Source, explain, explanation, variable

_UNITS = {"_s": "s", "_bytes": "bytes"}


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command(short_help="Explain every setting and show its value.")
@click.option("--home", metavar="DIR", help=explanation("home"))
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--markdown", is_flag=True, help="As docs/settings.md: defaults and explanations alone.")
def show(home: str | None, as_json: bool, markdown: bool) -> None:
    """Explain every setting: its value, where that is from, its default, its unit."""
    if markdown:
        click.echo(settings_page(), nl=False)
        return
    sources = explain({"home": home})
    if as_json:
        click.echo(json.dumps({name: describe(name, source) for name, source in sources.items()}, indent=1))
    else:
        _print_list(sources)


def describe(name: str, source: Source) -> dict[str, Any]:
    """Return what is to be said of the setting `name`, ready for JSON."""
    return {
        "value": source.value,
        "from": source.origin,
        "default": _default(name),
        "unit": unit(name),
        "variable": variable(name),
        "explanation": explanation(name),
    }


def unit(name: str) -> str:
    """Return the unit that the setting's name ends in: s, bytes, or nothing."""
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


def settings_page() -> str:
    """Return docs/settings.md: the same on every machine."""
    rows = [
        f"| `{field.name}` | `{variable(field.name)}` | {_cell(field.default)} | {unit(field.name)} "
        f"| {explanation(field.name)} |"
        for field in dataclasses.fields(Settings)
    ]
    lines = [
        "# Settings",
        "",
        f"A value comes from, the later winning: the default, `{CONFIG_NAME}` in the home, the environment,",
        "the command line. `segint config show` prints the values in use and where each came from.",
        "This page is the output of `segint config show --markdown`.",
        "",
        f"| `{CONFIG_NAME}` | environment | default | unit | meaning |",
        "| --- | --- | --- | --- | --- |",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def _default(name: str) -> Any:
    return next(field.default for field in dataclasses.fields(Settings) if field.name == name)


def _cell(value: Any) -> str:
    return f"`{_text(value)}`" if _text(value) else ""


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, (list, tuple)) else str(value)


def _print_list(sources: dict[str, Source]) -> None:
    for name, source in sources.items():
        click.echo(
            f"{click.style(name, bold=True)} = {_readable(name, source.value)}   [{_origin(name, source)}]"
        )
        click.echo(f"    {explanation(name)}")
    click.echo(
        f"\nSet them in {sources['home'].value}/{CONFIG_NAME}, or as {variable('NAME')} in the environment."
    )


def _origin(name: str, source: Source) -> str:
    default = _default(name)
    return (
        source.origin
        if source.origin == "default"
        else f"{source.origin}; default {_text(default) or '(empty)'}"
    )


def _readable(name: str, value: Any) -> str:
    if unit(name) == "bytes" and value >= MIB:
        return f"{value} bytes ({value / MIB:g} MiB)"
    return f"{_text(value) or '(empty)'} {unit(name)}".strip()
