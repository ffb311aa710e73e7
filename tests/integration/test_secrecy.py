"""What is secret stays secret: no canary in the log at its most talkative, in events, statuses or metrics, whatever went wrong."""

import base64
import json
import urllib.request
from functools import partial

import yaml

from tests.controlplane import ControlPlane
from tests.harness import ControllerProcess, Objects, clustersync, eventually, namespace, registration, secret

CANARY = "c4n4ry"
NAME = "shared"


def spellings(value: str) -> set[str]:
    """A value as it is, and how it looks in the data of a Secret, at each of the three offsets that base64 knows."""
    encoded = {base64.b64encode(b"x" * offset + value.encode()).decode()[2 * offset : -4].strip("=") for offset in range(3)}
    return {value, *encoded}


def everything_told(controller: ControllerProcess, clusters: list[Objects], hub: Objects) -> dict[str, str]:
    """All that people or programs without a right to the Secrets may read."""
    with urllib.request.urlopen(f"http://{controller.address}/metrics", timeout=5) as answer:
        metrics = answer.read().decode()
    return {
        "log": controller.log.read_text(),
        "metrics": metrics,
        "events": json.dumps([each.select("Event") for each in clusters]),
        "clustersyncs": json.dumps(hub.select("ClusterSync")),
    }


def test_no_value_of_a_secret_or_kubeconfig_is_told_anywhere(
    controller: ControllerProcess, on_hub: Objects, on_edge: Objects, edge: ControlPlane, tag: str
) -> None:
    secrets = [
        f"{CANARY}-{word}-with-some-length-{tag}" for word in ("source", "rotated", "foreign", "edited", "token", "malformed", "quota")
    ]
    source, rotated, foreign, edited, token, malformed, quota = secrets
    for cluster in (on_hub, on_edge):
        cluster.create(*(namespace(f"{tag}-{each}", team=tag) for each in ("plain", "foreign", "full")))
        cluster.create(secret(f"{tag}-foreign", NAME, {"word": foreign}))
        full = {"metadata": {"namespace": f"{tag}-full", "name": "none"}, "spec": {"hard": {"count/secrets": "0"}}}
        cluster.create({"apiVersion": "v1", "kind": "ResourceQuota"} | full)
        eventually(partial(quota_is_counted, cluster, f"{tag}-full"))
    clusters = [{"name": name} for name in ("local", "edge", f"{tag}-token", f"{tag}-malformed")]
    on_hub.create(namespace(tag), secret(tag, NAME, {"word": source, quota: "a key", "key": quota}, type="example.com/one"))
    on_hub.create(registration(f"{tag}-token", edge.kubeconfig_text(token=token)))
    on_hub.create(registration(f"{tag}-malformed", edge.kubeconfig_text(token=token) + f"\n  {malformed}: [{malformed}"))
    on_hub.create(clustersync(tag, secret(tag, NAME, {}), {"team": tag}, clusters=clusters))

    wanted = {"synced": 2, "conflicts": 2, "failed": 2}
    eventually(lambda: {key: on_hub.status(tag).get(key) for key in wanted} == wanted, describe=controller.tail)
    eventually(lambda: "Unauthorized" in json.dumps(on_hub.status(tag)), describe=controller.tail)
    on_hub.delete(secret(tag, NAME, {}))
    on_hub.create(secret(tag, NAME, {"word": rotated}, type="example.com/two"))
    replica = secret(f"{tag}-plain", NAME, {})
    eventually(lambda: on_edge.data("Secret", f"{tag}-plain", NAME) == {"word": rotated}, describe=controller.tail)
    on_edge.patch(replica, data=secret("", "", {"word": edited})["data"])
    eventually(lambda: on_edge.data("Secret", f"{tag}-plain", NAME) == {"word": rotated}, describe=controller.tail)
    eventually(
        lambda: {"Conflict", "TargetFailed", "Recreated"} <= {each["reason"] for each in on_hub.events(tag)}, describe=controller.tail
    )

    told = everything_told(controller, [on_hub, on_edge], on_hub)
    assert tag in told["log"]
    assert tag in told["events"]
    leaks = [(where, value) for where, text in told.items() for each in secrets for value in spellings(each) if value in text]
    assert leaks == []
    on_hub.delete(registration(f"{tag}-token", ""), registration(f"{tag}-malformed", ""))


def quota_is_counted(cluster: Objects, namespace: str) -> bool:
    """Whether the quota is in force."""
    found = cluster.get("ResourceQuota", "none", namespace)
    return bool(found and found.get("status", {}).get("hard"))


def test_no_part_of_a_client_certificate_is_told_anywhere(controller: ControllerProcess, on_hub: Objects, on_edge: Objects) -> None:
    stored = on_hub.data("Secret", "clustersync-system", "cluster-edge")
    assert stored is not None
    (user,) = yaml.safe_load(stored["kubeconfig"])["users"]
    key = base64.b64decode(user["user"]["client-key-data"]).decode()
    parts = [*user["user"].values(), *key.splitlines()]
    told = everything_told(controller, [on_hub, on_edge], on_hub)
    assert [where for where, text in told.items() for part in parts if part in text] == []
