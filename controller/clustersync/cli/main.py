"""The commands and their options. Errors are one line on stderr; exit codes: 1 failure, 64 wrong usage."""

from __future__ import annotations

from typing import Annotated

import typer

from clustersync import __version__
from clustersync.cli.run import run

app = typer.Typer(
    name="clustersync",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keep exact replicas of Secrets and ConfigMaps in every namespace a selector matches, on every cluster a ClusterSync names.",
)


def main() -> None:
    """Entry point of the console script."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"clustersync {__version__}")
        raise typer.Exit


@app.callback()
def _root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    """Hold the options of the program itself."""


@app.command()
def crd() -> None:
    """Print the CustomResourceDefinition, ready for `kubectl apply -f -`."""
    from clustersync.core.crd import crd_yaml

    typer.echo(crd_yaml(), nl=False)


app.command()(run)
