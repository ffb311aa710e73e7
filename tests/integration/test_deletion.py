"""A ClusterSync that is deleted takes its replicas along or lets them go, and nothing else."""

import pytest

from tests.harness import ControllerProcess
from tests.harness.objects import Json
from tests.integration.scene import KINDS, NAME, Scene, new_scene, payload, without_marks

scene = pytest.fixture(new_scene)

HOLD = {"finalizers": ["foreign.example.com/hold"]}
COPIED = {"labels": {"tier": "gold"}, "annotations": {"example.com/owner": "ann"}}
FOREIGN = {"labels": {"foreign": "yes"}, "annotations": {"foreign.example.com/note": "kept"}, **HOLD}


def test_the_finalizer_comes_before_the_first_replica(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source()
    mark = scene.mark()
    scene.declare(source)
    scene.until_replica(place)
    writes = [each for each in scene.writes_since(mark, "clustersyncs", "secrets") if each.subresource != "status"]
    assert [(each.verb, each.resource) for each in writes] == [("patch", "clustersyncs"), ("create", "secrets")]
    assert (scene.hub.get("ClusterSync", scene.tag) or {})["metadata"]["finalizers"] == ["clustersync.io/cleanup"]


def test_a_finalizer_that_somebody_takes_off_is_put_on_again(scene: Scene) -> None:
    sync = scene.declare(scene.source())
    scene.until_ready("0/0")
    scene.hub.patch(sync, metadata={"finalizers": ["foreign.example.com/hold"]})
    both = ["foreign.example.com/hold", "clustersync.io/cleanup"]
    scene.until(lambda: (scene.hub.get("ClusterSync", scene.tag) or {})["metadata"]["finalizers"] == both)
    scene.hub.delete(sync)
    scene.until(lambda: (scene.hub.get("ClusterSync", scene.tag) or {})["metadata"]["finalizers"] == both[:1])
    scene.hub.patch(sync, metadata={"finalizers": None})
    scene.until_away()


@pytest.mark.parametrize("kind", KINDS)
def test_its_replicas_go_and_the_source_stays(scene: Scene, kind: str) -> None:
    places = scene.namespaces(*"abcdefgh")
    source = scene.source(kind)
    sync = scene.declare(source)
    scene.until_ready("8/8")
    scene.hub.delete(sync)
    scene.until_away()
    assert [place for place in places if scene.hub.get(kind, NAME, place)] == []
    assert scene.replica(scene.tag, kind) == source


@pytest.mark.parametrize("kind", KINDS)
def test_retained_replicas_lose_our_marks_and_nothing_else(scene: Scene, kind: str) -> None:
    (place,) = scene.namespaces("a")
    sync = scene.declare(scene.source(kind, metadata=COPIED), deletionPolicy="Retain")
    scene.until_replica(place, kind)
    replica = scene.hub.patch(scene.replica(place, kind), metadata=FOREIGN)
    scene.until_ready("1/1")
    scene.hub.delete(sync)
    scene.until_away()
    after = scene.replica(place, kind)
    assert after["metadata"]["uid"] == replica["metadata"]["uid"]
    assert after["metadata"]["labels"] == COPIED["labels"] | {"foreign": "yes"}
    assert after["metadata"]["annotations"] == COPIED["annotations"] | {"foreign.example.com/note": "kept"}
    assert without_marks(after) == without_marks(replica)


def test_the_policy_may_change_until_the_end(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    sync = scene.declare(scene.source(), deletionPolicy="Retain")
    scene.until_ready("1/1")
    scene.hub.patch(sync, spec={"deletionPolicy": "Delete"})
    scene.hub.delete(sync)
    scene.until_away()
    assert scene.hub.get("Secret", NAME, place) is None


def test_a_replica_held_by_the_finalizer_of_somebody_else_does_not_hold_it(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    sync = scene.declare(scene.source())
    replica = scene.until_replica(place)
    scene.hub.patch(replica, metadata=HOLD)
    scene.hub.delete(sync)
    scene.until_away()
    assert scene.replica(place)["metadata"]["deletionTimestamp"]
    scene.hub.patch(replica, metadata={"finalizers": None})
    scene.until_gone(place)


def test_a_replica_in_a_namespace_that_cannot_end_does_not_hold_it(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    sync = scene.declare(scene.source())
    scene.until_ready("1/1")
    scene.hub.patch(scene.replica(place), metadata=HOLD)
    scene.hub.plane.kubectl("delete", "namespace", place, "--wait=false")
    scene.hub.delete(sync)
    scene.until_away()
    scene.hub.patch(scene.replica(place), metadata={"finalizers": None})


def test_it_goes_although_its_source_is_gone(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source()
    sync = scene.declare(source)
    scene.until_replica(place)
    scene.hub.delete(source)
    scene.hub.delete(sync)
    scene.until_away()
    assert scene.hub.get("Secret", NAME, place) is None


def test_one_of_the_same_name_can_follow_at_once(scene: Scene) -> None:
    places = scene.namespaces("a", "b")
    source = scene.source()
    for _ in range(3):
        sync = scene.declare(source)
        scene.until_ready("2/2")
        assert [payload(scene.replica(place)) for place in places] == [payload(source)] * 2
        scene.hub.delete(sync)
        scene.until_away()


def test_replicas_that_were_left_without_a_word_stay_and_are_counted(scene: Scene, controller: ControllerProcess) -> None:
    (place,) = scene.namespaces("a")
    sync = scene.declare(scene.source())
    scene.until_ready("1/1")
    replica = scene.replica(place)
    controller.stop()
    scene.hub.patch(sync, metadata={"finalizers": None})
    scene.hub.delete(sync)
    assert scene.hub.get("ClusterSync", scene.tag) is None
    controller.start()
    scene.until(lambda: controller.metrics().get('clustersync_orphans{cluster="local"}') == len(orphans(scene)))
    assert place in orphans(scene)
    scene.deselect(place)
    scene.let_work_pass()
    assert scene.replica(place) == replica


def orphans(scene: Scene) -> list[str]:
    """The namespaces of replicas whose ClusterSync is gone, by what the API server says."""
    declared = {each["metadata"]["name"] for each in scene.hub.select("ClusterSync")}
    selector = f"clustersync.io/hub={(scene.hub.get('Namespace', 'kube-system') or {})['metadata']['uid']}"
    marked = [each["metadata"] for kind in ("Secret", "ConfigMap") for each in scene.hub.select(kind, selector=selector)]
    ours = [each for each in marked if target_mark(each) == f"{each['namespace']}/{each['name']}"]
    return [each["namespace"] for each in ours if each["labels"].get("clustersync.io/sync") not in declared]


def target_mark(metadata: Json) -> str:
    return str(metadata.get("annotations", {}).get("clustersync.io/target", ""))
