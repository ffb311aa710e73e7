"""Two real clusters and one controller for the whole run; a ClusterSync name and labels of its own isolate each test."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest

from clustersync.kube.client import Client
from clustersync.kube.credentials import member_connection
from clustersync.kube.kubeconfig import parse_kubeconfig
from clustersync.kube.transport import AiohttpTransport
from tests.controlplane import ControlPlane, start_all
from tests.harness import ControllerProcess, Objects, eventually, grant, install_crd, registration, service_account_kubeconfig

_numbers = count(1)


@pytest.fixture(scope="session")
def planes() -> Iterator[dict[str, ControlPlane]]:
    with start_all(["hub", "edge"]) as planes:
        yield planes


@pytest.fixture(scope="session")
def hub(planes: dict[str, ControlPlane]) -> ControlPlane:
    return planes["hub"]


@pytest.fixture(scope="session")
def edge(planes: dict[str, ControlPlane]) -> ControlPlane:
    return planes["edge"]


@pytest.fixture(scope="session")
def on_hub(hub: ControlPlane) -> Objects:
    return Objects(hub)


@pytest.fixture(scope="session")
def on_edge(edge: ControlPlane) -> Objects:
    return Objects(edge)


@pytest.fixture(scope="session")
def crd(hub: ControlPlane) -> None:
    install_crd(hub)


@pytest.fixture
async def hub_client(hub: ControlPlane) -> AsyncIterator[Client]:
    endpoint = parse_kubeconfig(hub.kubeconfig_text().encode(), allow_loopback=True)
    client = Client(AiohttpTransport(await asyncio.to_thread(member_connection, endpoint, guarded=False)))
    yield client
    await client.close()


@pytest.fixture(scope="session")
def rights(hub: ControlPlane, edge: ControlPlane) -> None:
    """The rights that an installation grants, and no more."""
    grant(hub=hub, members=(edge,))


@pytest.fixture(scope="session")
def registered_edge(edge: ControlPlane, on_hub: Objects, rights: None) -> None:
    """The edge cluster, registered with the rights of its service account."""
    kubeconfig = service_account_kubeconfig(edge).read_text()
    on_hub.create(registration("edge", kubeconfig, env="edge"))


@pytest.fixture(scope="session")
def shared_controller(
    hub: ControlPlane, crd: None, registered_edge: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControllerProcess]:
    log = tmp_path_factory.mktemp("controller") / "controller.log"
    kubeconfig = service_account_kubeconfig(hub)
    with ControllerProcess(kubeconfig, log, "--log-level", "debug") as controller:
        eventually(lambda: controller.metrics().get('clustersync_cluster_up{cluster="edge"}') == 1, describe=controller.tail)
        yield controller


@pytest.fixture
def controller(shared_controller: ControllerProcess) -> ControllerProcess:
    """The running controller; a test may stop or kill it, and the next one finds it running again."""
    if not shared_controller.running:
        shared_controller.start()
    return shared_controller


@pytest.fixture
def tag() -> str:
    """A name that no other test uses: for ClusterSyncs, namespaces, labels."""
    return f"t{next(_numbers)}"
