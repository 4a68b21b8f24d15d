"""`segint models`: lists what a server offers."""

from __future__ import annotations

import asyncio

import click
from google.protobuf import json_format
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from generated.radiomics import Model_pb2
from segint_grpc.cli.options import chosen_token, token_options
from segint_grpc.cli.segment import server_option
from segint_grpc.cli.trust_options import trust_options
from segint_grpc.client.trust import Trust
from segint_grpc.client.velocity import VelocityClient


@click.command(short_help="List the models that a server offers.")
@server_option
@trust_options
@token_options
@click.option("--json", "as_json", is_flag=True, help="Print the server's ModelsCollection as JSON.")
def models(server: str, trust: Trust, as_json: bool) -> None:
    """List the models that a server offers: ids for `segint segment --model`, inputs and structures.

    Where stdout is no terminal, only the ids are printed, one per line.
    """
    offered = asyncio.run(_ask(server, trust, chosen_token()))
    if as_json:
        click.echo(json_format.MessageToJson(offered, preserving_proto_field_name=True))
        return
    console = Console()
    if not console.is_terminal:
        for family in offered.Models:
            for version in family.ModelVersions:
                click.echo(version.ID)
        return
    console.print(
        _table(offered) if offered.Models else "The server offers no model yet; see `segint model --help`."
    )


async def _ask(server: str, trust: Trust, token: str) -> Model_pb2.ModelsCollection:
    async with VelocityClient(server, token=token, trust=trust) as client:
        return await client.models()


def _table(offered: Model_pb2.ModelsCollection) -> Table:
    table = Table("Model id", "Version", "Family", "Inputs", "Structures")
    for family in offered.Models:
        description = family.FamilyDescription
        inputs = ", ".join(channel.ChannelID for channel in description.InputChannels)
        for version in family.ModelVersions:
            table.add_row(
                escape(version.ID),
                f"{version.MajorVersion}.{version.MinorVersion}",
                escape(description.Name or family.CanonicalName),
                escape(f"{description.Modalities} {inputs}".strip()),
                ", ".join(_colored(structure) for structure in version.Structures),
            )
    return table


def _colored(structure: Model_pb2.Structure) -> str:
    color = structure.Color
    red, green, blue = (min(value, 255) for value in (color.R, color.G, color.B))
    return f"[rgb({red},{green},{blue})]■[/] {escape(structure.Name)}"
