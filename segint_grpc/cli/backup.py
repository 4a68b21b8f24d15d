"""`segint backup` and `segint restore`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from segint_grpc import errors
from segint_grpc.backup import restore as restoring
from segint_grpc.backup.restore import Looked
from segint_grpc.backup.sealing import check_passphrase
from segint_grpc.cli.options import chosen_home, chosen_place, home_option, only_home_option
from segint_grpc.cli.output import one_line
from segint_grpc.client.backup import BackupDownload
from segint_grpc.home import private_umask

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File whose first line is the passphrase; without it you are asked.",
)


@click.command(short_help="Back a running server up.")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--with-jobs", is_flag=True, help="With scans, masks, tokens and users; needs a passphrase.")
@click.option(
    "--verify",
    "archive",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="ARCHIVE",
    help="Make none, but look at every byte of this one.",
)
@passphrase_option
@home_option
def backup(
    out: Path | None, with_jobs: bool, archive: Path | None, passphrase_file: Path | None, home: str | None
) -> None:
    """Write a backup of the server of a home to the file OUT while it runs.

    It holds models, families, feedback, the audit log and the settings, and what is known of the jobs. Scans
    and masks come with --with-jobs alone; the archive is then sealed with a passphrase, without which nobody
    can read it, you neither.

    \b
    Examples:
      segint backup segint-monday.tar
      segint backup segint-monday.sealed --with-jobs --passphrase-file /root/segint-passphrase
      segint backup --verify segint-monday.tar
    """  # noqa: D301 (click's mark for lines that are not to be wrapped)
    if (out is None) == (archive is None):
        raise click.UsageError("Name the file OUT to write, or an archive to --verify.")
    if archive is not None:
        _look(archive, passphrase_file)
        return
    assert out is not None
    passphrase = _new_passphrase(passphrase_file) if with_jobs or passphrase_file else ""
    with BackupDownload(chosen_place(home)) as server, _bar(out.name) as progress:
        size_bytes = server.save(out, with_jobs, passphrase, progress)
    click.echo(out)
    click.echo(f"{size_bytes / 2**20:,.1f} MiB; look at it with: segint backup --verify {out}", err=True)


@click.command(short_help="Make a home of a backup.")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Also where there is a home already, which is kept beside.")
@click.option("--check", is_flag=True, help="Restore nothing, but look at every byte of the archive.")
@passphrase_option
@only_home_option
def restore(archive: Path, force: bool, check: bool, passphrase_file: Path | None, home: str | None) -> None:
    """Make a home of the backup ARCHIVE, which `segint backup` wrote. The server must be stopped.

    Everything is verified before anything is replaced.
    """
    if check:
        _look(archive, passphrase_file)
        return
    private_umask()
    place, passphrase = chosen_home(home), _passphrase(archive, passphrase_file)
    size_bytes = archive.stat().st_size
    with _bar(archive.name) as progress:
        done = restoring.restore(archive, place, passphrase, force, _summed(progress, size_bytes))
    _tell(done.looked)
    if done.kept:
        click.echo(f"The home that was there before is kept in {done.kept}", err=True)
    click.echo(f"Restored. Start the server with: segint serve --home {place.path}", err=True)


def _look(archive: Path, passphrase_file: Path | None) -> None:
    passphrase = _passphrase(archive, passphrase_file)
    with _bar(archive.name) as progress:
        looked = restoring.check(archive, passphrase, _summed(progress, archive.stat().st_size))
    _tell(looked)


def _tell(looked: Looked) -> None:
    facts, entries = looked.manifest.facts, looked.manifest.entries
    what = "with scans and masks" if facts.get("with_jobs") else "without scans and masks"
    click.echo(
        f"The backup is whole: {len(entries)} files, made at {one_line(str(facts.get('made_at')))} by SegInt "
        f"{one_line(str(facts.get('release')))}, {what}."
    )
    click.echo(f"Audit log up to {looked.checked.head}")
    if looked.checked.finding:
        problem = looked.checked.finding.problem
        click.echo(f"segint: warning: the audit log in the backup is broken. {problem}", err=True)


def _new_passphrase(file: Path | None) -> str:
    passphrase = _read(file) if file else _asked(confirmation_prompt=True)
    check_passphrase(passphrase)
    return passphrase


def _passphrase(archive: Path, file: Path | None) -> str:
    if not restoring.needs_passphrase(archive):
        return ""
    return _read(file) if file else _asked(confirmation_prompt=False)


def _asked(confirmation_prompt: bool) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError(
            "A passphrase is needed, and nobody can be asked here; give it with --passphrase-file."
        )
    return str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirmation_prompt))


def _read(file: Path) -> str:
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        raise errors.RestoreRefused(f"{file} cannot be read as text.") from None
    return lines[0] if lines else ""


@contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _summed(progress: Callable[[int, int], None], total: int) -> Callable[[int], None]:
    done = 0

    def moved(count: int) -> None:
        nonlocal done
        done += count
        progress(min(done, total), total)

    return moved
