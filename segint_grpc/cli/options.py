"""Options that several commands have, and what they choose."""

from __future__ import annotations

import click

from segint_grpc import settings
from segint_grpc.home import Home

home_option = click.option("--home", metavar="DIR", help=settings.explanation("home"))
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")


def chosen_home(home: str | None) -> Home:
    """Return the home in the folder `home`, by default the one of the settings."""
    return Home(settings.load({"home": home}).home_path)
