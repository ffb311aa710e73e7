"""The command line: `clustersync run` and the commands for people. Typer and rich stay in here; the running controller carries neither."""

from clustersync.cli.main import main

__all__ = ["main"]
