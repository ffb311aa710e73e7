"""Control planes and controllers of a test module's own, for tests that stop, pause or replace them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from tests.controlplane import ControlPlane, start_all
from tests.harness import (
    ControllerProcess,
    Objects,
    clustersync,
    eventually,
    grant,
    install_crd,
    namespace,
    registration,
    secret,
    service_account_kubeconfig,
)
from tests.harness.objects import Json

T = TypeVar("T")

NAME = "shared"
"""Of every source, and so of its replicas."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """A hub with the CRD and the rights of an installation, and members with theirs. Nothing is registered yet."""

    planes: Mapping[str, ControlPlane]
    folder: Path

    @property
    def hub(self) -> Objects:
        """The objects of the hub."""
        return self.on("hub")

    def on(self, cluster: str) -> Objects:
        """Return the objects of one cluster."""
        return Objects(self.planes[cluster])

    def controller(self, *options: str, log: str = "controller", environ: dict[str, str] | None = None) -> ControllerProcess:
        """Return a controller of this hub, not started yet; the least rights are its own."""
        kubeconfig = service_account_kubeconfig(self.planes["hub"])
        return ControllerProcess(kubeconfig, self.folder / f"{log}.log", "--log-level", "debug", *options, environ=environ)

    def kubeconfig(self, cluster: str) -> str:
        """Return a kubeconfig that a registration of the cluster may hold."""
        return service_account_kubeconfig(self.planes[cluster]).read_text()

    def register(self, cluster: str, **labels: str) -> Json:
        """Register a member under its own name."""
        return self.hub.create(registration(cluster, self.kubeconfig(cluster), **labels))

    def share(self, tag: str, *clusters: str, **spec: Any) -> Json:
        """Create a source, a namespace on each of the clusters, and the ClusterSync to them; `local` is the hub."""
        source = secret(tag, NAME, {"word": "one"})
        self.hub.create(namespace(tag), source)
        for cluster in clusters:
            self.on("hub" if cluster == "local" else cluster).create(namespace(f"{tag}-a", team=tag))
        return self.declare(tag, source, {"clusters": [{"name": cluster} for cluster in clusters]} | spec)

    def declare(self, tag: str, source: Json, spec: Json) -> Json:
        """Create a ClusterSync to the namespaces labelled with the tag."""
        return self.hub.create(clustersync(tag, source, {"team": tag}, **spec))

    def rotate(self, tag: str, word: str) -> None:
        """Change the source that `share` made."""
        self.hub.replace(secret(tag, NAME, {"word": word}))

    def word(self, cluster: str, tag: str) -> str | None:
        """Return what the replica in the namespace of `share` says, None if there is none."""
        data = self.on("hub" if cluster == "local" else cluster).data("Secret", f"{tag}-a", NAME)
        return data["word"] if data else None

    def row(self, tag: str, cluster: str) -> Json:
        """Return the cluster's row in a status, empty if there is none."""
        rows = self.hub.status(tag).get("clusters", [])
        return next((row for row in rows if row["name"] == cluster), {})

    def until(self, check: Callable[[], T | Literal[False] | None], controller: ControllerProcess, *, seconds: float = 20.0) -> T:
        """Wait for a state; a failure shows all statuses and the end of the log."""
        return eventually(check, seconds=seconds, describe=lambda: f"\n{self._statuses()}{controller.tail()}")

    def ready(self, tag: str) -> bool:
        """Whether a ClusterSync is ready."""
        return bool(self.hub.condition(tag, "Ready").get("status") == "True")

    def _statuses(self) -> dict[str, Any]:
        return {each["metadata"]["name"]: each.get("status") for each in self.hub.select("ClusterSync")}


@contextmanager
def fleet_of(folder: Path, *members: str) -> Iterator[Fleet]:
    """Start a hub and these members."""
    with start_all(["hub", *members]) as planes:
        hub = planes["hub"]
        install_crd(hub)
        grant(hub=hub, members=tuple(planes[member] for member in members))
        yield Fleet(planes, folder)


@contextmanager
def stopped(plane: ControlPlane) -> Iterator[None]:
    """Have no API server there while the block runs."""
    plane.stop_apiserver()
    try:
        yield
    finally:
        plane.start_apiserver()


@contextmanager
def paused(plane: ControlPlane) -> Iterator[None]:
    """Have the API server take connections and answer nothing while the block runs."""
    plane.pause()
    try:
        yield
    finally:
        plane.resume()
