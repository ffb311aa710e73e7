"""A policy that quotes the value it refuses: people read why, and not what."""

import base64
import json

from tests.controlplane import ControlPlane
from tests.harness import ControllerProcess, Objects, clustersync, eventually, namespace, secret

VALUE = "a-value-nobody-may-read"


def test_a_value_quoted_by_an_admission_policy_reaches_neither_status_nor_events_nor_log(
    controller: ControllerProcess, hub: ControlPlane, on_hub: Objects, tag: str
) -> None:
    place = f"{tag}-a"
    source, probe = secret(tag, "s", {"password": VALUE}), secret(place, "probe", {"password": "other"})
    on_hub.create(namespace(tag), namespace(place, team=tag), source)
    hub.kubectl("create", "-f", "-", input=json.dumps(_quoting_policy(tag)))
    try:
        eventually(lambda: hub.request("POST", f"/api/v1/namespaces/{place}/secrets?dryRun=All", probe).status == 422, seconds=60)
        sync = clustersync(tag, source, {"team": tag})
        on_hub.create(sync)
        failure = eventually(lambda: on_hub.status(tag).get("failures"), describe=controller.tail)[0]
        assert "refused by policy: [redacted]" in failure["message"]
        event = eventually(lambda: [each for each in on_hub.events(tag) if each["reason"] == "TargetFailed"], describe=controller.tail)[0]
        assert "[redacted]" in event["message"]
        written = json.dumps([on_hub.get("ClusterSync", tag), on_hub.events(tag)]) + controller.log.read_text()
        for spelling in (VALUE, base64.b64encode(VALUE.encode()).decode()):
            assert spelling not in written
        on_hub.delete(sync)
    finally:
        hub.kubectl("delete", f"validatingadmissionpolicybinding/{tag}", f"validatingadmissionpolicy/{tag}")


def _quoting_policy(tag: str) -> dict[str, object]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"], "operations": ["CREATE", "UPDATE"]}
    validation = {"expression": "false", "messageExpression": "'refused by policy: ' + string(object.data['password'])"}
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": tag},
        "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]},
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": tag},
        "spec": {
            "policyName": tag,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"team": tag}}},
        },
    }
    return {"apiVersion": "v1", "kind": "List", "items": [policy, binding]}
