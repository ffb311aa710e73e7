"""Kubeconfigs with everything embedded, as a registration Secret or a person's KUBECONFIG wants them."""

from base64 import b64encode
from dataclasses import dataclass

import yaml

from tests.controlplane.pki import KeyPair


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a cluster answers, and the authority that vouches for it."""

    cluster: str
    server_url: str
    ca_pem: bytes


def with_certificate(endpoint: Endpoint, user: str, pair: KeyPair) -> str:
    return _render(endpoint, user, {"client-certificate-data": _base64(pair.public_pem), "client-key-data": _base64(pair.private_pem)})


def with_token(endpoint: Endpoint, user: str, token: str) -> str:
    return _render(endpoint, user, {"token": token})


def _render(endpoint: Endpoint, user: str, credentials: dict[str, str]) -> str:
    # The user's name holds the cluster's, so that KUBECONFIG=hub:edge merges without a clash.
    qualified = f"{user}@{endpoint.cluster}"
    cluster = {"server": endpoint.server_url, "certificate-authority-data": _base64(endpoint.ca_pem)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": endpoint.cluster, "cluster": cluster}],
        "users": [{"name": qualified, "user": credentials}],
        "contexts": [{"name": endpoint.cluster, "context": {"cluster": endpoint.cluster, "user": qualified}}],
        "current-context": endpoint.cluster,
    }
    return yaml.safe_dump(document, sort_keys=False)


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
