"""What an installation puts on a cluster: the CRD on the hub, rights for the controller everywhere; and the controller's way in."""

from http import HTTPStatus
from pathlib import Path

from tests.controlplane import ControlPlane
from tests.harness.eventually import eventually
from tests.harness.objects import COLLECTIONS

ROOT = Path(__file__).parents[2]
SERVICE_ACCOUNT = "system:serviceaccount:clustersync-system:clustersync"
GROUPS = ("system:serviceaccounts", "system:serviceaccounts:clustersync-system", "system:authenticated")


def install_crd(hub: ControlPlane) -> None:
    """Apply the CRD and wait until it is served. Not with `kubectl wait`: it fails on a CRD so new that it has no conditions yet."""
    hub.kubectl("apply", "-f", str(ROOT / "crds"))
    eventually(lambda: hub.request("GET", COLLECTIONS["ClusterSync"]).status == HTTPStatus.OK)


def grant(*, hub: ControlPlane, members: tuple[ControlPlane, ...] = ()) -> None:
    """Apply the rights that an installation grants, and no more."""
    for plane in (hub, *members):
        plane.kubectl("apply", "-f", str(ROOT / "manifests/member-rbac.yaml"))
    hub.kubectl("apply", "-f", str(ROOT / "manifests/hub-rbac.yaml"))


def service_account_kubeconfig(plane: ControlPlane) -> Path:
    """Return a kubeconfig with which the controller has its service account's rights on a cluster."""
    return plane.kubeconfig_for(SERVICE_ACCOUNT, GROUPS)
