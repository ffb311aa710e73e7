"""The stage of the demo: two clusters, everything that an installation applies, and the controller as its own process."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.controlplane import Binaries, ControlPlane, start_all
from tests.demo.screen import Screen
from tests.demo.watching import View, Watching
from tests.harness import ControllerProcess, Objects, eventually, grant, install_crd, registration

Json = dict[str, Any]

NAMESPACE = "clustersync-system"
TOKEN_DURATION = "24h"  # longer than anybody plays
SECRET, CONFIG_MAP = "common-encode", "ca-bundle"
PATHS = {
    "Secret": f"/api/v1/secrets?watch=1&fieldSelector=metadata.name={SECRET}",
    "ConfigMap": f"/api/v1/configmaps?watch=1&fieldSelector=metadata.name={CONFIG_MAP}",
}
DECLARATIONS = "/apis/clustersync.io/v1alpha1/clustersyncs"
NAMES = {"Secret": SECRET, "ConfigMap": CONFIG_MAP}


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace of one of the two clusters."""

    cluster: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Stage:
    """The clusters, by name, what is seen there, and the controller."""

    clusters: dict[str, Objects]
    controller: ControllerProcess
    watching: Watching
    views: dict[tuple[str, str], View]
    """By cluster and kind."""
    declarations: View

    @property
    def hub(self) -> Objects:
        """Where the declarations and the sources are."""
        return self.clusters["hub"]

    def on(self, place: Place) -> Objects:
        """Return the cluster of a place."""
        return self.clusters[place.cluster]

    def seen(self, kind: str, place: Place) -> Json | None:
        """Return the demo's object of that kind at a place, as last seen."""
        return self.views[place.cluster, kind].get(place.namespace, NAMES[kind])

    def status(self, kind: str) -> Json:
        """Return the status of the declaration for that kind, as last seen."""
        status: Json = (self.declarations.get("", NAMES[kind]) or {}).get("status", {})
        return status

    def timed(self, action: Callable[[], Any], is_seen: Callable[[], bool]) -> float:
        """Act; return the milliseconds from before the request to the watch event that shows the outcome; raises NotSeen."""
        begin = time.perf_counter()
        action()
        return (self.watching.until(is_seen) - begin) * 1000


@contextmanager
def raised(screen: Screen, binaries: Binaries) -> Iterator[Stage]:
    """Everything up and connected; nothing of it is left afterwards, however that comes."""
    with ExitStack() as held:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="clustersync-demo-")))
        with screen.timed("two control planes, hub and edge: etcd, kube-apiserver, kube-controller-manager"):
            planes = held.enter_context(start_all(["hub", "edge"], binaries=binaries, audit=False))
        with screen.timed("CRD and roles applied, edge registered on hub by a Secret"):
            _install(planes)
        with screen.timed("the controller runs as its own process, under its service account, and knows both clusters"):
            controller = held.enter_context(ControllerProcess(_kubeconfig(planes["hub"], folder), folder / "controller.log"))
            # This one is there once the first lists are: they end up to a second after they began (the API server's bookmark timer).
            eventually(lambda: 'clustersync_watch_age_seconds{cluster="edge"}' in controller.metrics(), describe=controller.tail)
        yield _watched(planes, controller)


def _install(planes: dict[str, ControlPlane]) -> None:
    hub, edge = planes["hub"], planes["edge"]
    grant(hub=hub, members=(edge,))
    install_crd(hub)
    Objects(hub).create(registration("edge", edge.kubeconfig_text(token=_token(edge)), env="edge"))


def _token(plane: ControlPlane) -> str:
    return plane.kubectl("create", "token", "clustersync", "-n", NAMESPACE, f"--duration={TOKEN_DURATION}").stdout.strip()


def _kubeconfig(hub: ControlPlane, folder: Path) -> Path:
    path = folder / "controller.kubeconfig"
    path.write_text(hub.kubeconfig_text(token=_token(hub)))
    return path


def _watched(planes: dict[str, ControlPlane], controller: ControllerProcess) -> Stage:
    watching = Watching()
    return Stage(
        clusters={name: Objects(plane) for name, plane in planes.items()},
        controller=controller,
        watching=watching,
        views={(name, kind): watching.view(plane, path) for name, plane in planes.items() for kind, path in PATHS.items()},
        declarations=watching.view(planes["hub"], f"{DECLARATIONS}?watch=1"),
    )
