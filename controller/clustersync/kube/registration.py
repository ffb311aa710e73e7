"""Reads the Secret that registers a member cluster. A refusal is a value: it becomes an event and a row of status."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clustersync.core.model import LOCAL, ClusterName
from clustersync.kube.endpoint import Endpoint
from clustersync.kube.kubeconfig import RefusedKubeconfig, parse_kubeconfig

CLUSTER_LABEL = "clustersync.io/cluster"
"""The label of a registration Secret; its value is the cluster's name."""

_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123, as Kubernetes applies it


@dataclass(frozen=True, slots=True)
class SecretMetadata:
    """Which Secret it is. `created` is its creationTimestamp as the API server writes it."""

    namespace: str
    name: str
    uid: str
    created: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Registration:
    """A member cluster: how it is called, what selects it, and how to reach it."""

    name: ClusterName
    labels: Mapping[str, str]
    """The Secret's labels without the one that holds the name."""
    endpoint: Endpoint
    secret_namespace: str
    secret_name: str
    created: str
    uid: str


@dataclass(frozen=True, slots=True)
class RefusedRegistration:
    """A registration that cannot be used: which field is wrong, and a line that says what to do. Neither holds data of the Secret."""

    name: ClusterName | None
    """None where the name itself is what is refused."""
    labels: Mapping[str, str]
    field: str
    message: str
    secret_namespace: str
    secret_name: str
    created: str
    uid: str


def read_registration(secret: SecretMetadata, data: Mapping[str, bytes], *, allow_loopback: bool) -> Registration | RefusedRegistration:
    """Return what the Secret registers. `data` holds decoded values; `allow_loopback` is the setting of that name."""
    name = _cluster_name(secret)
    if name is None:
        field = f"metadata.labels[{CLUSTER_LABEL}]"
        return _refused(secret, None, field, f"must be a DNS label of at most 63 characters other than {LOCAL}")
    parse = _parser(data)
    if parse is None:
        return _refused(secret, name, "data.kubeconfig", "is missing; put the kubeconfig of the member cluster there")
    try:
        endpoint = parse(data, allow_loopback)
    except RefusedKubeconfig as refusal:
        return _refused(secret, name, refusal.field, refusal.reason)
    return Registration(name, _selectable(secret), endpoint, secret.namespace, secret.name, secret.created, secret.uid)


_Parser = Callable[[Mapping[str, bytes], bool], Endpoint]


def _parse_kubeconfig_key(data: Mapping[str, bytes], allow_loopback: bool) -> Endpoint:
    return parse_kubeconfig(data["kubeconfig"], allow_loopback=allow_loopback)


# Which keys tell which format; the first that fits counts.
_FORMATS: tuple[tuple[frozenset[str], _Parser], ...] = ((frozenset({"kubeconfig"}), _parse_kubeconfig_key),)


def _parser(data: Mapping[str, bytes]) -> _Parser | None:
    return next((parse for keys, parse in _FORMATS if keys <= data.keys()), None)


def _cluster_name(secret: SecretMetadata) -> ClusterName | None:
    name = secret.labels.get(CLUSTER_LABEL, "")
    return ClusterName(name) if name != LOCAL and _DNS_LABEL.fullmatch(name) else None


def _selectable(secret: SecretMetadata) -> dict[str, str]:
    return {key: value for key, value in secret.labels.items() if key != CLUSTER_LABEL}


def _refused(secret: SecretMetadata, name: ClusterName | None, field: str, reason: str) -> RefusedRegistration:
    message = f"{field}: {reason}"
    return RefusedRegistration(name, _selectable(secret), field, message, secret.namespace, secret.name, secret.created, secret.uid)
