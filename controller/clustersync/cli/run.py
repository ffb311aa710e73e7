"""`clustersync run`: checks the options, then becomes the bare controller, which carries none of the command line's libraries."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from clustersync.settings import PREFIX, InvalidSettings, Settings, from_environment


def _option(name: str, *declarations: str) -> Any:
    """An option with the setting's own description, also read from its environment variable."""
    return typer.Option(*declarations, envvar=PREFIX + name.upper(), help=Settings.model_fields[name].description, show_default=False)


def run(
    context: typer.Context,
    kubeconfig: Annotated[str | None, _option("kubeconfig")] = None,
    context_name: Annotated[str | None, _option("context", "--context")] = None,
    namespace: Annotated[str | None, _option("namespace")] = None,
    metrics_address: Annotated[str | None, _option("metrics_address")] = None,
    leader_elect: Annotated[bool | None, _option("leader_elect", "--leader-elect/--no-leader-elect")] = None,
    dry_run: Annotated[bool | None, _option("dry_run", "--dry-run/--no-dry-run")] = None,
    log_level: Annotated[str | None, _option("log_level")] = None,
    log_format: Annotated[str | None, _option("log_format")] = None,
    local_labels: Annotated[str | None, _option("local_labels")] = None,
    protected_namespaces: Annotated[str | None, _option("protected_namespaces")] = None,
    hub_id: Annotated[str | None, _option("hub_id")] = None,
    former_hub_ids: Annotated[str | None, _option("former_hub_ids")] = None,
    allow_loopback_clusters: Annotated[bool | None, _option("allow_loopback_clusters")] = None,
    max_concurrency: Annotated[int | None, _option("max_concurrency")] = None,
) -> None:
    """Run the controller. Every option is also an environment variable, CLUSTERSYNC_<NAME>."""
    given = {"context" if name == "context_name" else name: value for name, value in context.params.items() if value is not None}
    environ = dict(os.environ) | {PREFIX + name.upper(): str(value) for name, value in given.items()}
    try:
        from_environment(environ)
    except InvalidSettings as error:
        typer.echo(f"clustersync: {error}", err=True)
        raise typer.Exit(64) from None
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "clustersync"], environ)
