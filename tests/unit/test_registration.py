"""A registration Secret becomes a registration or a refusal that names the field; never an exception, never its data."""

from __future__ import annotations

import pytest

from clustersync.core.model import ClusterName
from clustersync.kube.registration import CLUSTER_LABEL, RefusedRegistration, Registration, SecretMetadata, read_registration
from tests.unit.test_kubeconfig import CANARY, ENDPOINT, kubeconfig


def secret(cluster: str | None = "edge-1") -> SecretMetadata:
    labels = {"env": "prod"} if cluster is None else {CLUSTER_LABEL: cluster, "env": "prod"}
    return SecretMetadata("clustersync-system", "edge-1-credentials", "uid-1", "2026-05-20T11:43:00Z", labels)


def refusal(metadata: SecretMetadata, data: dict[str, bytes]) -> RefusedRegistration:
    result = read_registration(metadata, data, allow_loopback=False)
    assert isinstance(result, RefusedRegistration)
    return result


def test_a_registration_is_read_whole() -> None:
    assert read_registration(secret(), {"kubeconfig": kubeconfig()}, allow_loopback=False) == Registration(
        name=ClusterName("edge-1"),
        labels={"env": "prod"},
        endpoint=ENDPOINT,
        secret_namespace="clustersync-system",
        secret_name="edge-1-credentials",
        created="2026-05-20T11:43:00Z",
        uid="uid-1",
    )


def test_further_keys_of_the_secret_are_not_looked_at() -> None:
    data = {"kubeconfig": kubeconfig(), "note": b"\xff"}
    assert isinstance(read_registration(secret(), data, allow_loopback=False), Registration)


def test_a_registration_hides_its_secrets_when_printed() -> None:
    registration = read_registration(secret(), {"kubeconfig": kubeconfig()}, allow_loopback=False)
    assert f"{CANARY}-token" not in repr(registration)


def test_a_refused_kubeconfig_is_refused_by_its_field_and_keeps_what_identifies_the_registration() -> None:
    result = refusal(secret(), {"kubeconfig": kubeconfig(user={"exec": {"command": CANARY}})})
    assert result.message.startswith("users[0].user.exec: refused, it would run a program")
    assert result == RefusedRegistration(
        name=ClusterName("edge-1"),
        labels={"env": "prod"},
        field="users[0].user.exec",
        message=result.message,
        secret_namespace="clustersync-system",
        secret_name="edge-1-credentials",
        created="2026-05-20T11:43:00Z",
        uid="uid-1",
    )
    assert CANARY not in repr(result)


@pytest.mark.parametrize("data", [{}, {"config": b"c4n4ry"}, {"Kubeconfig": b"c4n4ry"}], ids=["no key", "another key", "another spelling"])
def test_a_secret_without_a_kubeconfig_is_refused(data: dict[str, bytes]) -> None:
    result = refusal(secret(), data)
    assert (result.name, result.field) == ("edge-1", "data.kubeconfig")
    assert result.message.startswith("data.kubeconfig: is missing")
    assert CANARY not in repr(result)


def test_an_empty_kubeconfig_is_refused() -> None:
    assert refusal(secret(), {"kubeconfig": b""}).field == "kubeconfig"


@pytest.mark.parametrize(
    "name",
    [None, "", "local", "Edge", "edge_1", "edge.1", "-edge", "edge-", "edge\n", "e" * 64],
    ids=[
        "no label",
        "an empty label",
        "the hub's own name",
        "capitals",
        "an underscore",
        "a dot",
        "a hyphen first",
        "a hyphen last",
        "a line break",
        "64 characters",
    ],
)
def test_a_name_that_is_no_dns_label_is_refused_and_not_repeated(name: str | None) -> None:
    result = refusal(secret(name), {"kubeconfig": kubeconfig()})
    assert (result.name, result.field) == (None, "metadata.labels[clustersync.io/cluster]")
    assert result.labels == {"env": "prod"}


@pytest.mark.parametrize("name", ["e", "1", "edge-1", "locally", "e" * 63])
def test_a_dns_label_is_a_name(name: str) -> None:
    registration = read_registration(secret(name), {"kubeconfig": kubeconfig()}, allow_loopback=False)
    assert isinstance(registration, Registration)
    assert registration.name == name


def test_a_server_on_loopback_needs_the_setting() -> None:
    data = {"kubeconfig": kubeconfig({"server": "https://127.0.0.1:6443"})}
    assert refusal(secret(), data).field == "clusters[0].cluster.server"
    assert isinstance(read_registration(secret(), data, allow_loopback=True), Registration)
