"""Replicas equal their source and stay so: creation, updates, and repair of whatever somebody else does to them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import secret
from tests.harness.objects import Json
from tests.integration.scene import KINDS, NAME, Scene, lasting, new_scene, payload, text

scene = pytest.fixture(new_scene)

COPIED = {"labels": {"tier": "gold"}, "annotations": {"example.com/owner": "ann"}}
FOREIGN: Json = {
    "labels": {"foreign": "yes"},
    "annotations": {"foreign.example.com/note": 'signs: ä, "quoted", \\ and a\nnew line'},
    "finalizers": ["foreign.example.com/hold"],
}
STRIPPED = {
    "labels": {
        "app.kubernetes.io/instance": "argo",
        "app.kubernetes.io/managed-by": "Helm",
        "clustersync.io/sync": "x",
        "kapp.k14s.io/app": "1",
    },
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "meta.helm.sh/release-name": "r"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_replica_equals_its_source_and_carries_our_marks(scene: Scene, kind: str) -> None:
    owner = scene.hub.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": scene.tag, "name": "owner"}})
    both = {field: COPIED[field] | STRIPPED[field] for field in COPIED}
    source = scene.source(kind, metadata=both | {"finalizers": FOREIGN["finalizers"], "ownerReferences": [owned_by(owner)]})
    (place,) = scene.namespaces("a")
    scene.declare(source)
    replica = scene.until_replica(place, kind)
    hub_id = scene.hub.get("Namespace", "kube-system")
    assert hub_id is not None
    assert payload(replica) == payload(source)
    assert replica["metadata"]["labels"] == COPIED["labels"] | {
        "app.kubernetes.io/managed-by": "clustersync",
        "clustersync.io/hub": hub_id["metadata"]["uid"],
        "clustersync.io/sync": scene.tag,
    }
    assert replica["metadata"]["annotations"] == COPIED["annotations"] | {
        "clustersync.io/source": f"local/{scene.tag}/{NAME}",
        "clustersync.io/target": f"{place}/{NAME}",
        "clustersync.io/managed-keys": "labels/tier,annotations/example.com/owner",
    }
    assert replica["metadata"].keys().isdisjoint({"finalizers", "ownerReferences"})


def change_a_value(kind: str) -> Json:
    return {"data": {"word": text(kind, "edited")}}


def change_a_byte(kind: str) -> Json:
    return {"data" if kind == "Secret" else "binaryData": {"every-byte": "AA=="}}


def remove_all_data(kind: str) -> Json:
    return {"data": None, "binaryData": None} if kind == "ConfigMap" else {"data": None}


def move_a_key_to_binary_data(kind: str) -> Json:
    return {"data": {"word": None}, "binaryData": {"word": "b25l"}} if kind == "ConfigMap" else {"data": {"word": None}}


def metadata(**fields: dict[str, str | None]) -> Callable[[str], Json]:
    return lambda kind: {"metadata": fields}


DRIFTS = [
    pytest.param(change_a_value, id="a value is edited"),
    pytest.param(change_a_byte, id="one binary value is edited"),
    pytest.param(lambda kind: {"data": {"word": None}}, id="a key is removed"),
    pytest.param(lambda kind: {"data": {"more": text(kind, "x")}}, id="a key is added"),
    pytest.param(remove_all_data, id="all data is removed"),
    pytest.param(move_a_key_to_binary_data, id="a key is moved to where bytes are kept"),
    pytest.param(metadata(labels={"clustersync.io/sync": None}), id="the label that names the ClusterSync is removed"),
    pytest.param(metadata(labels={"clustersync.io/sync": "somebody"}), id="the label that names the ClusterSync names another"),
    pytest.param(metadata(labels={"app.kubernetes.io/managed-by": None}), id="the label managed-by is removed"),
    pytest.param(metadata(labels={"tier": None}), id="a copied label is removed"),
    pytest.param(metadata(labels={"tier": "iron"}), id="a copied label is edited"),
    pytest.param(metadata(annotations={"example.com/owner": None}), id="a copied annotation is removed"),
    pytest.param(metadata(annotations={"clustersync.io/source": None}), id="the annotation that names the source is removed"),
    pytest.param(metadata(annotations={"clustersync.io/managed-keys": "labels/foreign"}), id="the list of our keys is edited"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("drift", DRIFTS)
def test_a_replica_that_somebody_changes_is_restored_in_place(scene: Scene, kind: str, drift: Callable[[str], Json]) -> None:
    (place,) = scene.namespaces("a")
    scene.declare(scene.source(kind, metadata=COPIED))
    replica = scene.until_replica(place, kind)
    changed = scene.hub.patch(replica, **drift(kind))
    assert lasting(changed) != lasting(replica)
    scene.until(lambda: lasting(scene.replica(place, kind)) == lasting(replica))
    assert scene.replica(place, kind)["metadata"]["uid"] == replica["metadata"]["uid"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_replica_is_created_again(scene: Scene, kind: str) -> None:
    (place,) = scene.namespaces("a")
    scene.declare(scene.source(kind, metadata=COPIED))
    replica = scene.until_replica(place, kind)
    scene.hub.delete(replica)
    scene.until(lambda: scene.replica(place, kind)["metadata"]["uid"] != replica["metadata"]["uid"])
    assert lasting(scene.replica(place, kind)) == lasting(replica)


def test_a_repair_is_told_and_counted(scene: Scene) -> None:
    counter = 'clustersync_drift_repaired_total{cluster="local"}'
    (place,) = scene.namespaces("a")
    scene.declare(scene.source())
    scene.until_ready("1/1")
    before = scene.controller.metrics().get(counter, 0)
    scene.hub.patch(scene.replica(place), data={"word": None})
    event = scene.until_event("DriftRepaired")
    assert f"Secret {place}/{NAME}" in event["message"]
    assert scene.controller.metrics()[counter] == before + 1


SIZES = [pytest.param(1, id="little"), pytest.param(100_000, id="more than the controller keeps in memory")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_what_others_put_on_a_replica_survives_every_update(scene: Scene, kind: str, size: int) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source(kind, metadata=COPIED)
    scene.declare(source)
    scene.until_replica(place, kind)
    owner = scene.hub.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": place, "name": "owner"}})
    replica = scene.hub.patch(scene.replica(place, kind), metadata=foreign_metadata(owner, size))
    scene.hub.patch(source, data={"word": text(kind, "two")})
    scene.until(lambda: scene.replica(place, kind)["data"]["word"] == text(kind, "two"))
    assert lasting(scene.replica(place, kind))["metadata"] == lasting(replica)["metadata"]
    scene.hub.patch(replica, data={"word": text(kind, "edited")}, metadata={"labels": {"tier": None}})
    scene.until(lambda: scene.replica(place, kind)["data"]["word"] == text(kind, "two"))
    assert lasting(scene.replica(place, kind))["metadata"] == lasting(replica)["metadata"]


def foreign_metadata(owner: Json, size: int) -> Json:
    annotations = FOREIGN["annotations"] | {"foreign.example.com/size": "x" * size}
    return FOREIGN | {"annotations": annotations, "ownerReferences": [owned_by(owner)]}


def owned_by(owner: Json) -> Json:
    """An owner reference with every field there is; the garbage collector takes what refers to an owner that is not there."""
    identity = {"apiVersion": "v1", "kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    return identity | {"controller": True, "blockOwnerDeletion": True}


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_the_source_drops_goes_and_foreign_ones_stay(scene: Scene, kind: str) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source(kind, metadata={"labels": {"kept": "1", "dropped": "1"}, "annotations": {"dropped": "1"}})
    scene.declare(source)
    scene.until_replica(place, kind)
    scene.hub.patch(scene.replica(place, kind), metadata={"labels": {"foreign": "1"}, "annotations": {"foreign": "1"}})
    gone: dict[str, Any] = {"labels": {"kept": "2", "dropped": None}, "annotations": {"dropped": None}}
    scene.hub.patch(source, metadata=gone)
    scene.until(lambda: "dropped" not in scene.replica(place, kind)["metadata"]["labels"])
    after = scene.replica(place, kind)["metadata"]
    assert after["labels"] | {"kept": "2", "foreign": "1"} == after["labels"]
    assert after["annotations"]["foreign"] == "1"
    assert "dropped" not in after["annotations"]
    assert after["annotations"]["clustersync.io/managed-keys"] == "labels/kept"


SOURCES = [
    pytest.param({}, id="no data at all"),
    pytest.param({"empty": "", ".dotted-key_1": "x"}, id="an empty value, and a key with dots"),
    pytest.param({"text": 'ä € 😀 \u2028 \r\n\t" \\ <&>'}, id="text that encoders escape differently"),
    pytest.param({"large": "x" * 1_000_000}, id="a million bytes"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", SOURCES)
def test_any_data_arrives_and_is_not_written_twice(scene: Scene, kind: str, data: dict[str, str]) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source(kind, data)
    mark = scene.mark()
    scene.declare(source)
    scene.until_ready("1/1")
    assert payload(scene.replica(place, kind)) == payload(source)
    assert [event.verb for event in scene.writes_since(mark, "secrets", "configmaps")] == ["create"]


def test_of_many_changes_in_a_row_the_last_one_stays(scene: Scene) -> None:
    places = scene.namespaces("a", "b", "c")
    source = scene.source()
    scene.declare(source)
    for number in range(30):
        scene.hub.replace(secret(scene.tag, NAME, {"number": str(number)}))
    scene.until(lambda: all(scene.hub.data("Secret", place, NAME) == {"number": "29"} for place in places))
    scene.until_ready("3/3")
