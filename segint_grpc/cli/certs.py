"""`segint certs`: a local authority, the server's certificate, and those of clients."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from segint_grpc import errors, settings
from segint_grpc.cli.options import chosen_home, json_option, only_home_option
from segint_grpc.tls.authority import GATEWAY_URI
from segint_grpc.tls.folder import AuthorityFolder
from segint_grpc.tls.identity import WARNED_BEFORE
from segint_grpc.tls.names import machine_names
from segint_grpc.tls.view import View, view_of

out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the authority; default: tls in the home.",
)
name_option = click.option(
    "--name", "names", multiple=True, metavar="NAME", help="A further name or address of the server."
)
force_option = click.option("--force", is_flag=True, help="Replace what is there.")


@click.group()
def certs() -> None:
    """Make certificates for TLS, and look at them.

    A hospital that has an authority of its own needs none of this: set tls_certificate and tls_key.
    """


@certs.command(short_help="Make a local authority and the server's certificate.")
@name_option
@out_option
@force_option
@only_home_option
def init(names: tuple[str, ...], out: Path | None, force: bool, home: str | None) -> None:
    """Make a local authority and with it a certificate for every name and address of this machine.

    The authority is good for ten years, the server's certificate for two. Nothing is replaced unless --force
    is given: clients that know the authority would no longer know the server.

    \b
    Examples:
      segint certs init
      segint certs init --name segint.clinic.example
    """  # noqa: D301 (click's mark for lines that are not to be wrapped)
    folder = _folder(out, home)
    folder.make(_names(home, names), force)
    _print_server(folder)
    click.echo(
        f"""
Put into {chosen_home(home).path / settings.CONFIG_NAME}:
  https = "127.0.0.1:8443"
  tls_certificate = "{folder.server}"
  tls_key = "{folder.server_key}"
To ask every client for a certificate, too (`segint certs client NAME`):
  tls_client_ca = "{folder.authority}"

Give to clients, so that they know the server: {folder.authority}
  segint models --server https://NAME:8443 --ca authority.pem
Keep to yourself: {folder.authority_key}
  Who has it can pass for this server. Only `certs renew` and `certs client` need it; it may lie elsewhere."""
    )


@certs.command(short_help="Renew the server's certificate.")
@name_option
@out_option
@only_home_option
def renew(names: tuple[str, ...], out: Path | None, home: str | None) -> None:
    """Make the server a new certificate of the same authority: clients notice nothing.

    It is for the names of the old one and all that this machine has now. A running server takes it up by
    itself, and connections that stand are not touched.
    """
    folder = _folder(out, home)
    folder.renew(_names(home, names))
    _print_server(folder)


@certs.command(short_help="Make a client's certificate.")
@click.argument("name")
@click.option("--gateway", is_flag=True, help="For a gateway on another machine.")
@out_option
@force_option
@only_home_option
def client(name: str, gateway: bool, out: Path | None, force: bool, home: str | None) -> None:
    """Make a certificate by which the client NAME, a person or a machine, is known.

    With --gateway it is a gateway's, which the core believes when it says on whose behalf it asks; give that
    to nobody else. Without, it lets its holder connect and says nothing of what that one may do.
    """
    folder = _folder(out, home)
    certificate, key = folder.client(name, gateway, force)
    click.echo(f"Made {certificate} and {key}. Hand them over by a way that nobody else can read.")
    if gateway:
        click.echo(
            f"""
On the gateway's machine, put into {settings.CONFIG_NAME} (the files copied there, the key with chmod 600):
  core = "HOST:PORT"
  core_ca = "{folder.authority.name}"
  core_certificate = "{certificate.name}"
  core_key = "{key.name}"
On the core's machine:
  tls_client_ca = "{folder.authority}\""""
        )
    else:
        click.echo(
            f"  segint models --server https://NAME:8443 --ca {folder.authority.name} "
            f"--certificate {certificate.name} --key {key.name}"
        )


@certs.command(short_help="Tell names, end and fingerprint of certificates.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@only_home_option
@json_option
def show(files: tuple[Path, ...], home: str | None, as_json: bool) -> None:
    """Tell whose each certificate in FILES is, its names, when it ends, and its SHA-256 fingerprint.

    Without FILES, those that are set and those of the local authority in the home.
    """
    views = [view for path in files or _known(home) for view in view_of(path)]
    if not views:
        raise errors.NotFound("There is no certificate here; make one with: segint certs init")
    if as_json:
        click.echo(json.dumps([_as_json(view) for view in views], indent=1, ensure_ascii=False))
    for view in views if not as_json else ():
        _print(view)


def _folder(out: Path | None, home: str | None) -> AuthorityFolder:
    return AuthorityFolder((out or chosen_home(home).path / "tls").absolute())


def _names(home: str | None, more: tuple[str, ...]) -> list[str]:
    return machine_names(settings.load({"home": home}).public_url, more)


def _known(home: str | None) -> list[Path]:
    chosen = settings.load({"home": home})
    texts = (chosen.tls_certificate, chosen.tls_client_ca, chosen.core_certificate, chosen.core_ca)
    wanted = [chosen.home_path / Path(text).expanduser() for text in texts if text]
    folder = _folder(None, home)
    made = [folder.authority, folder.server, *sorted(folder.clients.glob("*.pem"))]
    return list(dict.fromkeys([*wanted, *(path for path in made if path.exists())]))


def _print_server(folder: AuthorityFolder) -> None:
    for path in (folder.authority, folder.server):
        for view in view_of(path):
            _print(view)


def _print(view: View) -> None:
    click.echo(f"{view.path}")
    click.echo(f"  of           {view.subject}, signed by {view.issuer}")
    if view.names:
        click.echo(f"  for          {', '.join(view.names)}")
    if GATEWAY_URI in view.names:
        click.echo("  may          speak for others, as a gateway")
    click.echo(f"  ends         {view.ends_at:%Y-%m-%d %H:%M} UTC{_warning(view)}")
    click.echo(f"  SHA-256      {view.fingerprint}")


def _warning(view: View) -> str:
    left = view.ends_at - datetime.now(UTC)
    if left.total_seconds() <= 0:
        return click.style("   it has ended", fg="red")
    return click.style(f"   in {left.days} days", fg="yellow") if left <= WARNED_BEFORE else ""


def _as_json(view: View) -> dict[str, Any]:
    return {
        "path": str(view.path),
        "subject": view.subject,
        "issuer": view.issuer,
        "names": view.names,
        "ends_at": view.ends_at.isoformat(),
        "sha256": view.fingerprint,
    }
