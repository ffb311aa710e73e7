"""The commands and their options. Errors are one line on stderr; exit codes: 1 failure, 64 wrong usage."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from clustersync import __version__
from clustersync.cli.run import run

WRONG_USAGE = 64
"""EX_USAGE of sysexits.h; 2, which the library takes, is what `plan` says when something would change."""

app = typer.Typer(
    name="clustersync",
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keep exact replicas of Secrets and ConfigMaps in every namespace a selector matches, on every cluster a ClusterSync names.",
)


def main() -> None:
    """Entry point of the console script."""
    try:
        sys.exit(app(standalone_mode=False))
    except typer.Abort:
        sys.exit(1)
    except typer.TyperException as error:
        typer.echo(f"clustersync: {_one_line(error)}; `clustersync --help` shows what there is", err=True)
        sys.exit(WRONG_USAGE)


def _one_line(error: typer.TyperException) -> str:
    """The library's message with the option's name in it, without its box and line breaks."""
    describe = getattr(error, "format_message", error.__str__)
    return " ".join(describe().split()).rstrip(".")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"clustersync {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Hold the options of the program itself; without a command, show the help, as kubectl does."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def crd() -> None:
    """Print the CustomResourceDefinition, ready for `kubectl apply -f -`."""
    from clustersync.core.crd import crd_yaml

    typer.echo(crd_yaml(), nl=False)


app.command()(run)
