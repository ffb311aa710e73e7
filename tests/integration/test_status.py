"""What the status says is true, readable by the tools people have, bounded, and written only when it says something new."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.harness import eventually, namespace
from tests.harness.objects import Json
from tests.integration.scene import NAME, Scene, content, new_scene, text

scene = pytest.fixture(new_scene)

HOLD = {"finalizers": ["foreign.example.com/hold"]}
ALWAYS = ["Ready", "SourceReady", "ClustersReady", "ReplicasReady"]


def until_types(scene: Scene, *types: str) -> None:
    """Wait until just these conditions are there, all of the present generation."""
    scene.until(lambda: [each["type"] for each in scene.hub.status(scene.tag)["conditions"]] == [*ALWAYS, *types])
    found = scene.hub.get("ClusterSync", scene.tag) or {}
    assert {each["observedGeneration"] for each in found["status"]["conditions"]} == {found["metadata"]["generation"]}


def revision(scene: Scene) -> str:
    return str((scene.hub.get("ClusterSync", scene.tag) or {})["metadata"]["resourceVersion"])


def test_nothing_to_do_is_ready_and_kubectl_can_wait_for_it(scene: Scene) -> None:
    scene.declare(scene.source())
    scene.hub.plane.kubectl("wait", "--for=condition=Ready", f"clustersync/{scene.tag}", "--timeout=20s")
    status = scene.until_ready("0/0")
    assert (status["desired"], status["failures"], status["clustersReady"]) == (0, [], "1/1")
    assert "lastSyncTime" not in status
    until_types(scene)


def test_kubectl_can_wait_for_a_change_to_be_everywhere(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    sync = scene.declare(content("Secret", scene.tag, {}))
    scene.until_status(sources=0)
    waiting = scene.hub.plane.kubectl("wait", "--for=condition=Ready", f"csync/{scene.tag}", "--timeout=1s", check=False)
    assert waiting.returncode == 1
    scene.source()
    scene.hub.plane.kubectl("wait", "--for=condition=Ready", f"csync/{scene.tag}", "--timeout=20s")
    assert scene.replica(place)
    assert sync["metadata"]["name"] == scene.tag


def columns(scene: Scene, *options: str) -> dict[str, str]:
    """What `kubectl get clustersync` shows, by heading; headings are set apart by three spaces."""
    head, row = scene.hub.plane.kubectl("get", "clustersync", scene.tag, *options).stdout.splitlines()
    starts = [index for index, char in enumerate(head) if char != " " and (index == 0 or head[:index].endswith("   "))]
    ends = [*starts[1:], None]
    return {head[a:b].strip(): row[a:b].strip() for a, b in zip(starts, ends, strict=True)}


def test_kubectl_get_shows_how_things_are(scene: Scene) -> None:
    taken = scene.namespaces("a", "b", "c")[0]
    foreign = scene.hub.create(content("Secret", taken, {}))
    sync = scene.declare(scene.source())
    scene.until_status(conflicts=1, synced=2)
    shown = columns(scene)
    assert shown.pop("AGE").endswith("s")
    assert shown == {"NAME": scene.tag, "SOURCE": f"Secret {scene.tag}/{NAME}", "READY": "False", "SYNCED": "2/3", "CLUSTERS": "1/1"}
    wide = columns(scene, "-o", "wide")
    assert (wide["FAILED"], wide["CONFLICTS"], f"{taken}/{NAME}" in wide["MESSAGE"]) == ("0", "1", True)
    scene.hub.delete(foreign)
    scene.request_reconcile(sync)
    scene.until_ready("3/3")
    wide = columns(scene, "-o", "wide")
    assert (wide["READY"], wide["SYNCED"], wide["CONFLICTS"], wide["MESSAGE"]) == ("True", "3/3", "0", "3 replicas in sync")
    assert wide["LAST SYNC"].endswith("s")


def test_the_rows_of_the_clusters_add_up(scene: Scene, registered_edge: None) -> None:
    scene.namespaces("a", "b")
    scene.declare(scene.source(), clusters=[{"name": "local"}, {"name": "edge"}, {"name": "absent"}])
    status = scene.until_status(synced=2, clustersReady="2/3")
    rows = {row["name"]: (row["reachable"], row["desired"], row["synced"]) for row in status["clusters"]}
    assert rows == {"absent": (False, 0, 0), "edge": (True, 0, 0), "local": (True, 2, 2)}
    assert (scene.condition("Ready")["status"], scene.condition("Ready")["reason"]) == ("False", "ClusterNotRegistered")
    assert "absent" in scene.condition("ClustersReady")["message"]


def test_the_moment_of_the_last_sync_moves_with_what_is_written(scene: Scene) -> None:
    scene.namespaces("a")
    source = scene.source()
    scene.declare(source)
    first = datetime.fromisoformat(scene.until_ready("1/1")["lastSyncTime"])
    assert abs(datetime.now(UTC) - first) < timedelta(seconds=10)
    eventually(lambda: datetime.now(UTC) >= first + timedelta(seconds=1))  # it is kept in whole seconds
    scene.hub.patch(source, data={"word": text("Secret", "two")})
    scene.until(lambda: datetime.fromisoformat(scene.hub.status(scene.tag)["lastSyncTime"]) > first)
    assert scene.condition("Ready")["status"] == "True"


def test_a_change_of_the_spec_is_rolling_out_until_the_last_replica_is_there(scene: Scene) -> None:
    held, new = scene.namespaces("a")[0], scene.bystander("new")
    sync = scene.declare(scene.source())
    scene.until_ready("1/1")
    replica = scene.hub.patch(scene.replica(held), metadata=HOLD)
    scene.hub.delete(replica)
    scene.hub.patch(namespace(new), metadata={"labels": {"also": scene.tag}})
    either = [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": [held, new]}]
    scene.hub.patch(sync, spec={"namespaceSelector": {"matchLabels": None, "matchExpressions": either}})
    scene.until_status(desired=2, synced=1, pending=1)
    until_types(scene, "Reconciling")
    assert (scene.condition("Ready")["status"], scene.condition("Ready")["reason"]) == ("Unknown", "Progressing")
    scene.hub.patch(replica, metadata={"finalizers": None})
    scene.until_ready("2/2")
    until_types(scene)


def test_a_short_delay_does_not_change_ready_and_a_long_one_does(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    scene.declare(scene.source())
    scene.until_ready("1/1")
    replica = scene.hub.patch(scene.replica(place), metadata=HOLD)
    scene.hub.delete(replica)
    scene.until_status(pending=1, synced=0)
    assert scene.condition("Ready")["status"] == "True"
    scene.until(lambda: scene.condition("Ready")["status"] == "False")
    assert scene.condition("Ready")["reason"] == "Pending"
    until_types(scene, "Reconciling")
    scene.hub.patch(replica, metadata={"finalizers": None})
    scene.until_ready("1/1")
    until_types(scene)


def test_many_conflicts_make_a_status_no_larger_than_ten_do(scene: Scene) -> None:
    places = scene.namespaces(*(f"{number:02}" for number in range(30)))
    for place in places:
        scene.hub.create(content("Secret", place, {}))
    scene.declare(scene.source())
    status = scene.until_status(conflicts=30, desired=30)
    assert len(status["failures"]) == 10
    assert len(status["clusters"]) == 1
    assert len(json.dumps(status)) < 6_000
    assert scene.condition("Ready")["message"].startswith("0 of 30 replicas in sync, 30 in conflict")
    assert scene.until_event("Conflict")["count"] >= 1
    assert len([each for each in scene.hub.events(scene.tag) if each["reason"] == "Conflict"]) == 1


def touch_a_foreign_label(scene: Scene) -> None:
    scene.hub.patch(scene.replica(f"{scene.tag}-a"), metadata={"labels": {"foreign": "1"}, "annotations": {"foreign": "1"}})


def relabel_a_namespace(scene: Scene) -> None:
    scene.hub.patch(namespace(f"{scene.tag}-a"), metadata={"labels": {"unrelated": "1"}})


def add_unrelated_objects(scene: Scene, source: Json) -> None:
    scene.bystander("unrelated")
    scene.hub.create(source | {"metadata": {"namespace": scene.tag, "name": "unrelated"}})
    scene.hub.create(source | {"metadata": {"namespace": f"{scene.tag}-a", "name": "unrelated"}})


def mark_the_source_for_other_tools(scene: Scene, source: Json) -> None:
    scene.hub.patch(source, metadata={"labels": {"app.kubernetes.io/instance": "x"}, "annotations": {"argocd.argoproj.io/sync-wave": "1"}})


def replace_the_source_by_its_equal(scene: Scene, source: Json) -> None:
    scene.hub.plane.kubectl("replace", "-f", "-", input=json.dumps(source | {"metadata": {"namespace": scene.tag, "name": NAME}}))


def test_nothing_is_written_when_nothing_changes(scene: Scene) -> None:
    scene.namespaces("a", "b")
    source = scene.source()
    scene.declare(source)
    scene.until_ready("2/2")
    scene.let_work_pass()
    before, mark = revision(scene), scene.mark()
    touch_a_foreign_label(scene)
    relabel_a_namespace(scene)
    add_unrelated_objects(scene, source)
    mark_the_source_for_other_tools(scene, source)
    replace_the_source_by_its_equal(scene, source)
    scene.let_work_pass()
    assert scene.writes_since(mark) == []
    assert revision(scene) == before


def test_a_request_to_reconcile_alone_writes_nothing(scene: Scene) -> None:
    scene.namespaces("a", "b")
    sync = scene.declare(scene.source())
    scene.until_ready("2/2")
    scene.let_work_pass()
    mark = scene.mark()
    scene.request_reconcile(sync)
    scene.let_work_pass()
    assert scene.writes_since(mark) == []


def test_all_in_sync_is_told_once(scene: Scene) -> None:
    scene.namespaces("a", "b")
    scene.declare(scene.source())
    event = scene.until_event("Synced")
    assert (event["type"], event["count"], event["message"]) == ("Normal", 1, "2 replicas in sync")
