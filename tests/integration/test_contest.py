"""Somebody else keeps changing a replica, or admission changes it on the way in: no hot loop, and a status that names it."""

import json

from tests.controlplane import ControlPlane
from tests.harness import ControllerProcess, Objects, clustersync, config_map, eventually, namespace, secret


def test_a_replica_that_somebody_keeps_changing_is_contested_and_the_repairs_slow_down(
    controller: ControllerProcess, hub: ControlPlane, on_hub: Objects, tag: str
) -> None:
    source, place = secret(tag, "s", {"key": "ours"}), f"{tag}-a"
    sync = clustersync(tag, source, {"team": tag})
    on_hub.create(namespace(tag), namespace(place, team=tag), source, sync)
    eventually(lambda: on_hub.status(tag).get("summary") == "1/1", describe=controller.tail)
    for _ in range(3):
        hub.kubectl("-n", place, "patch", "secret", "s", "--field-manager=meddler", "-p", json.dumps({"stringData": {"key": "theirs"}}))
        eventually(lambda: on_hub.data("Secret", place, "s") == {"key": "ours"}, describe=controller.tail)
    hub.kubectl("-n", place, "patch", "secret", "s", "--field-manager=meddler", "-p", json.dumps({"stringData": {"key": "theirs"}}))
    failure = eventually(lambda: on_hub.status(tag).get("failures"), describe=controller.tail)[0]
    assert failure["reason"] == "Contested"
    assert "meddler" in failure["message"]
    eventually(lambda: on_hub.status(tag).get("summary") == "1/1", describe=controller.tail)
    assert on_hub.data("Secret", place, "s") == {"key": "ours"}
    on_hub.delete(sync)


POLICY = {
    "matchConstraints": {
        "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE", "UPDATE"]}]
    },
    "failurePolicy": "Fail",
    "reinvocationPolicy": "Never",
    "mutations": [
        {"patchType": "JSONPatch", "jsonPatch": {"expression": '[JSONPatch{op: "add", path: "/data/injected", value: "by-policy"}]'}},
    ],
}


def test_a_replica_that_admission_changes_is_reported_and_not_written_again_and_again(
    controller: ControllerProcess, hub: ControlPlane, on_hub: Objects, tag: str
) -> None:
    source, place = config_map(tag, "s", {"key": "ours"}), f"{tag}-a"
    on_hub.create(namespace(tag), namespace(place, team=tag), source)
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": tag},
        "spec": POLICY,
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": tag},
        "spec": {"policyName": tag, "matchResources": {"namespaceSelector": {"matchLabels": {"team": tag}}}},
    }
    hub.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": [policy, binding]}))
    try:
        # A fresh API server applies mutating policies from its second minute on.
        eventually(lambda: _is_injected(hub, place), seconds=120, describe=controller.tail)
        mark = hub.audit.mark()
        sync = clustersync(tag, source, {"team": tag})
        on_hub.create(sync)
        failure = eventually(lambda: on_hub.status(tag).get("failures"), describe=controller.tail)[0]
        assert failure["reason"] == "MutatedByAdmission"
        writes = [
            each for each in hub.audit.since(mark, user_agent="clustersync", resource="configmaps") if each.verb in ("create", "update")
        ]
        assert len(writes) == 1
    finally:
        hub.kubectl("delete", f"mutatingadmissionpolicybinding/{tag}", f"mutatingadmissionpolicy/{tag}")
    eventually(lambda: not _is_injected(hub, place), seconds=120)
    on_hub.patch(source, data={"key": "two"})
    eventually(lambda: on_hub.data("ConfigMap", place, "s") == {"key": "two"}, describe=controller.tail)
    eventually(lambda: on_hub.status(tag).get("summary") == "1/1", describe=controller.tail)
    on_hub.delete(sync)


def _is_injected(hub: ControlPlane, place: str) -> bool:
    """Whether the policy is in force: it takes the API server a moment."""
    probe = hub.kubectl("-n", place, "create", "configmap", "probe", "--from-literal=a=b", "--dry-run=server", "-o", "jsonpath={.data}")
    return "injected" in probe.stdout
