"""A controller that was away ends in the same state as one that saw everything, and writes nothing where nothing changed."""

from collections import Counter

import pytest

from tests.controlplane import AuditEvent, Mark
from tests.harness import ControllerProcess, Objects, clustersync, config_map, eventually, namespace, secret
from tests.harness.objects import Json

BOTH = [{"name": "local"}, {"name": "edge"}]
NAME = "shared"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/clustersync-system/leases/clustersync"

Writes = Counter[tuple[str, str]]
"""Verb and namespace."""


def kill_and_forget(controller: ControllerProcess, hub: Objects) -> None:
    """Kill it, and have its lease gone, so that nobody has to wait until it expires."""
    controller.kill()
    assert hub.plane.request("DELETE", LEASE).status == 200


def writes(cluster: Objects, mark: Mark, tag: str) -> list[AuditEvent]:
    """What the controller wrote for a test: replicas, the ClusterSync, its status."""
    return [
        each
        for each in cluster.plane.audit.since(mark, user_agent="clustersync")
        if each.verb in ("create", "update", "patch", "delete") and (each.namespace.startswith(tag) or each.name.startswith(tag))
    ]


def replica_writes(cluster: Objects, mark: Mark, tag: str) -> Writes:
    return Counter((each.verb, each.namespace) for each in writes(cluster, mark, tag) if each.namespace.startswith(tag))


def until_ready(hub: Objects, controller: ControllerProcess, *syncs: str) -> None:
    """Wait until these are ready in their present generation."""
    eventually(lambda: all(is_ready(hub, sync) for sync in syncs), seconds=40, describe=controller.tail)


def is_ready(hub: Objects, sync: str) -> bool:
    found = hub.get("ClusterSync", sync) or {}
    status = found.get("status", {"conditions": []})
    current = [each["status"] for each in status["conditions"] if each["type"] == "Ready"] == ["True"]
    return bool(current and status["observedGeneration"] == found["metadata"]["generation"])


def declared(name: str, tag: str, *, kind: str = "Secret", **spec: object) -> Json:
    """A ClusterSync of an object of its own name to the namespaces of the test on both clusters."""
    source = {"kind": kind, "metadata": {"namespace": tag, "name": name}}
    return clustersync(name, source, {"team": tag}, **{"clusters": BOTH, **spec})


@pytest.mark.parametrize("cluster", ["local", "edge"])
def test_what_changed_while_the_controller_was_killed_is_made_up_for_with_one_write_each(
    controller: ControllerProcess, on_hub: Objects, on_edge: Objects, tag: str, cluster: str
) -> None:
    target = on_hub if cluster == "local" else on_edge
    kept, dropped, untouched, late = (f"{tag}-{word}" for word in ("kept", "dropped", "untouched", "late"))
    on_hub.create(namespace(tag), *(secret(tag, name, {"word": "one"}) for name in (kept, dropped, untouched, late)))
    target.create(*(namespace(f"{tag}-{each}", team=tag) for each in ("edited", "deleted", "unlabelled", "removed", "as-it-was")))
    here = [{"name": cluster}]
    on_hub.create(*(declared(name, tag, clusters=here) for name in (kept, dropped, untouched)))
    eventually(lambda: all(on_hub.status(name).get("summary") == "5/5" for name in (kept, dropped, untouched)), describe=controller.tail)
    kill_and_forget(controller, on_hub)

    on_hub.replace(secret(tag, kept, {"word": "two"}))
    target.patch(secret(f"{tag}-edited", kept, {}), data=secret("", "", {"word": "mine"})["data"])
    target.delete(secret(f"{tag}-deleted", kept, {}))
    target.patch(namespace(f"{tag}-unlabelled"), metadata={"labels": {"team": None}})
    target.delete(namespace(f"{tag}-removed"))
    eventually(lambda: target.get("Namespace", f"{tag}-removed") is None)
    target.create(namespace(f"{tag}-added", team=tag))
    on_hub.delete(declared(dropped, tag))
    on_hub.create(declared(late, tag, clusters=here))
    mark = target.plane.audit.mark()

    controller.start()
    until_ready(on_hub, controller, kept, untouched, late)
    eventually(lambda: on_hub.get("ClusterSync", dropped) is None, describe=controller.tail)
    stay = [f"{tag}-{each}" for each in ("edited", "deleted", "as-it-was", "added")]
    assert [target.data("Secret", each, kept) for each in stay] == [{"word": "two"}] * 4
    assert [target.data("Secret", each, late) for each in stay] == [{"word": "one"}] * 4
    assert [target.data("Secret", each, dropped) for each in stay] == [None] * 4
    assert [target.data("Secret", f"{tag}-unlabelled", name) for name in (kept, dropped, untouched, late)] == [None] * 4
    edited, deleted, as_it_was, added, unlabelled = (
        *(f"{tag}-{each}" for each in ("edited", "deleted", "as-it-was", "added")),
        f"{tag}-unlabelled",
    )
    assert replica_writes(target, mark, tag) == {
        ("update", edited): 1,  # kept
        ("delete", edited): 1,  # dropped
        ("create", edited): 1,  # late
        ("create", deleted): 2,  # kept, late
        ("delete", deleted): 1,  # dropped
        ("update", as_it_was): 1,  # kept
        ("delete", as_it_was): 1,  # dropped
        ("create", as_it_was): 1,  # late
        ("create", added): 3,  # kept, untouched, late
        ("delete", unlabelled): 3,  # kept, dropped, untouched
    }


def test_a_restart_writes_nothing_where_nothing_changed(controller: ControllerProcess, on_hub: Objects, on_edge: Objects, tag: str) -> None:
    synced, table, missing, suspended, nowhere = (f"{tag}-{word}" for word in ("synced", "table", "missing", "suspended", "nowhere"))
    sources = [secret(tag, name, {"word": "one"}) for name in (synced, suspended, nowhere)]
    on_hub.create(namespace(tag), *sources, config_map(tag, table, {"word": "one"}, {"bytes": bytes(range(256))}))
    for cluster in (on_hub, on_edge):
        cluster.create(*(namespace(f"{tag}-{number}", team=tag) for number in range(3)))
    on_hub.create(
        declared(synced, tag),
        declared(table, tag, kind="ConfigMap"),
        declared(missing, tag),
        declared(suspended, tag, suspend=True),
        declared(nowhere, tag, clusters=[{"name": "local"}, {"name": f"{tag}-unknown"}]),
    )
    until_ready(on_hub, controller, synced, table)
    settled = {missing: "SourceNotFound", suspended: "Suspended", nowhere: "ClusterNotRegistered"}
    eventually(lambda: {name: on_hub.condition(name, "Ready").get("reason") for name in settled} == settled, describe=controller.tail)
    let_statuses_pass(on_hub, controller, f"{tag}x1")
    before = {each["metadata"]["name"]: each for each in on_hub.select("ClusterSync") if each["metadata"]["name"].startswith(f"{tag}-")}
    told = events(on_hub, *before)
    controller.stop()
    marks = [(cluster, cluster.plane.audit.mark()) for cluster in (on_hub, on_edge)]
    controller.start()
    eventually(lambda: [count_synced(controller, name) for name in (synced, table, nowhere)] == [6, 6, 3], describe=controller.tail)
    let_statuses_pass(on_hub, controller, f"{tag}x2")
    assert [writes(cluster, mark, f"{tag}-") for cluster, mark in marks] == [[], []]
    assert {name: on_hub.get("ClusterSync", name) for name in before} == before
    assert events(on_hub, *before) == told


def events(hub: Objects, *syncs: str) -> list[Json]:
    return [each for sync in syncs for each in hub.events(sync)]


def count_synced(controller: ControllerProcess, sync: str) -> float:
    wanted = f'clustersync_replicas{{cluster="%s",clustersync="{sync}",state="synced"}}'
    return sum(controller.metrics().get(wanted % cluster, 0) for cluster in ("local", "edge"))


def let_statuses_pass(hub: Objects, controller: ControllerProcess, name: str) -> None:
    """Return when whatever was due is written: a bystander got two statuses, which are at least a second apart."""
    source = secret(name, NAME, {})
    hub.create(namespace(name), source, namespace(f"{name}-a", team=name), clustersync(name, source, {"team": name}))
    until_ready(hub, controller, name)
    hub.create(namespace(f"{name}-b", team=name))
    eventually(lambda: hub.status(name).get("summary") == "2/2", describe=controller.tail)
