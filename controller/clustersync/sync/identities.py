"""Which registrations count: one for each cluster name, and one for each API server, whatever names it goes by."""

from __future__ import annotations

from collections.abc import Iterable

from clustersync.core.model import LOCAL, ClusterName
from clustersync.kube.endpoint import Endpoint
from clustersync.kube.registration import CLUSTER_LABEL, RefusedRegistration, Registration


class Identities:
    """The UIDs of `kube-system` that API servers have told; a registration that leads elsewhere now counts as untold."""

    def __init__(self) -> None:
        self.hub_uid: str | None = None
        self._told: dict[ClusterName, tuple[Endpoint, str]] = {}

    def note(self, registration: Registration, uid: str) -> None:
        """Take in what the registration's API server told."""
        self._told[registration.name] = registration.endpoint, uid

    def of(self, registration: Registration) -> str | None:
        """Return what the registration's API server told, None before it did."""
        endpoint, uid = self._told.get(registration.name, (None, None))
        return uid if endpoint == registration.endpoint else None


def judge(registrations: Iterable[Registration | RefusedRegistration], identities: Identities) -> list[Registration | RefusedRegistration]:
    """Return them oldest first, with those refused that name a cluster, or lead to an API server, that an older one already does."""
    secrets: dict[ClusterName, str] = {}
    servers = {identities.hub_uid: LOCAL}
    judged = []
    for each in sorted(registrations, key=lambda registration: (registration.created, registration.secret_name)):
        verdict = _refuse_second_name(each, secrets)
        if each.name is not None:
            secrets.setdefault(each.name, each.secret_name)
        if isinstance(verdict, Registration) and (uid := identities.of(verdict)) is not None:
            verdict = _refuse_second_server(verdict, servers.setdefault(uid, verdict.name))
        judged.append(verdict)
    return judged


def _refuse_second_name(
    registration: Registration | RefusedRegistration, secrets: dict[ClusterName, str]
) -> Registration | RefusedRegistration:
    older = secrets.get(registration.name) if registration.name else None
    if older is None:
        return registration
    field = f"metadata.labels[{CLUSTER_LABEL}]"
    return _refused(registration, field, f"the older Secret {older} registers this cluster; delete one of them")


def _refuse_second_server(registration: Registration, first: ClusterName) -> Registration | RefusedRegistration:
    if first == registration.name:
        return registration
    which = "is the hub's own, which is the cluster local" if first == LOCAL else f"is that of the cluster {first}, registered before"
    return _refused(registration, "server", f"this API server {which}; delete this registration, or correct its kubeconfig")


def _refused(registration: Registration | RefusedRegistration, field: str, reason: str) -> RefusedRegistration:
    return RefusedRegistration(
        name=registration.name,
        labels=registration.labels,
        field=field,
        message=f"{field}: {reason}",
        secret_namespace=registration.secret_namespace,
        secret_name=registration.secret_name,
        created=registration.created,
        uid=registration.uid,
    )
