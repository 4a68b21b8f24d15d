"""`segint completion`: what makes a shell complete commands, options and ids."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM, VARIABLE = "segint", "_SEGINT_COMPLETE"
PLACES = {
    "bash": "~/.local/share/bash-completion/completions/segint",
    "zsh": "~/.zfunc/_segint",
    "fish": "~/.config/fish/completions/segint.fish",
}
NOTES = {
    "bash": 'For this shell alone: eval "$(segint completion bash)"',
    "zsh": "In ~/.zshrc, before compinit: fpath+=~/.zfunc",
    "fish": "For this shell alone: segint completion fish | source",
}


@click.command(short_help="Print what makes a shell complete words.")
@click.argument("shell", type=click.Choice(list(PLACES)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands and options, and the ids that a running server knows.

    \b
    Put it where the shell looks:
      segint completion bash > ~/.local/share/bash-completion/completions/segint
      segint completion zsh > ~/.zfunc/_segint
      segint completion fish > ~/.config/fish/completions/segint.fish
    """  # noqa: D301 (click's mark for lines that are not to be wrapped)
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, PROGRAM, VARIABLE).source().rstrip())
    click.echo(f"\n# To keep it: segint completion {shell} > {PLACES[shell]}\n# {NOTES[shell]}")
