"""What cannot change in place: replicas deleted and created again, and the finalizers of others that delay it."""

import pytest

from tests.harness.objects import Json
from tests.integration.scene import KINDS, NAME, Scene, content, lasting, new_scene, payload, text

scene = pytest.fixture(new_scene)

BASIC_AUTH = {"type": "kubernetes.io/basic-auth"}
BASIC_AUTH_DATA = {"username": "ann", "password": "one"}
FOREIGN = {"labels": {"foreign": "yes"}, "annotations": {"foreign.example.com/note": "kept"}}
HOLD = {"finalizers": ["foreign.example.com/hold"]}


def recreate(scene: Scene, source: Json, **fields: object) -> Json:
    """Delete the source and create another of the same name at once."""
    scene.hub.delete(source)
    kind = source["kind"]
    return scene.hub.create(content(kind, scene.tag, BASIC_AUTH_DATA, **fields))


def test_a_source_of_another_type_is_followed(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source()
    scene.declare(source)
    replica = scene.until_replica(place)
    scene.hub.patch(replica, metadata=FOREIGN)
    source = recreate(scene, source, **BASIC_AUTH)
    scene.until(lambda: payload(scene.replica(place)) == payload(source))
    after = scene.replica(place)
    assert after["metadata"]["uid"] != replica["metadata"]["uid"]
    assert after["metadata"]["labels"] == replica["metadata"]["labels"] | FOREIGN["labels"]
    assert after["metadata"]["annotations"] == replica["metadata"]["annotations"] | FOREIGN["annotations"]
    assert f"Secret {place}/{NAME}" in scene.until_event("Recreated")["message"]
    scene.until_ready("1/1")


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_becomes_immutable_is_followed_in_place(scene: Scene, kind: str) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source(kind)
    scene.declare(source)
    replica = scene.until_replica(place, kind)
    source = scene.hub.patch(source, immutable=True)
    scene.until(lambda: payload(scene.replica(place, kind)) == payload(source))
    assert scene.replica(place, kind)["metadata"]["uid"] == replica["metadata"]["uid"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("immutable", [pytest.param(True, id="immutable again"), pytest.param(None, id="no longer immutable")])
def test_an_immutable_source_that_is_replaced_is_followed(scene: Scene, kind: str, immutable: bool | None) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source(kind, immutable=True)
    scene.declare(source)
    replica = scene.until_replica(place, kind)
    source = recreate(scene, source, immutable=immutable)
    scene.until(lambda: payload(scene.replica(place, kind)) == payload(source))
    assert scene.replica(place, kind)["metadata"]["uid"] != replica["metadata"]["uid"]
    assert scene.until_event("Recreated")["count"] == 1
    scene.until_ready("1/1")


@pytest.mark.parametrize("kind", KINDS)
def test_an_immutable_replica_can_still_get_other_labels(scene: Scene, kind: str) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source(kind, immutable=True)
    scene.declare(source)
    replica = scene.until_replica(place, kind)
    scene.hub.patch(source, metadata={"labels": {"tier": "gold"}})
    scene.until(lambda: scene.replica(place, kind)["metadata"]["labels"].get("tier") == "gold")
    assert scene.replica(place, kind)["metadata"]["uid"] == replica["metadata"]["uid"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_replica_that_somebody_made_immutable_is_replaced(scene: Scene, kind: str) -> None:
    (place,) = scene.namespaces("a")
    scene.declare(scene.source(kind))
    replica = scene.until_replica(place, kind)
    scene.hub.patch(replica, immutable=True)
    scene.until(lambda: scene.replica(place, kind)["metadata"]["uid"] != replica["metadata"]["uid"])
    assert lasting(scene.replica(place, kind)) == lasting(replica)


def test_a_recreation_waits_for_the_finalizer_of_somebody_else_without_asking_twice(scene: Scene) -> None:
    held, free = scene.namespaces("a", "b")
    source = scene.source()
    scene.declare(source)
    replica = scene.until_replica(held)
    scene.hub.patch(replica, metadata=HOLD)
    scene.until_ready("2/2")
    mark = scene.mark()
    source = recreate(scene, source, **BASIC_AUTH)
    scene.until_status(pending=1, synced=1, failed=0)
    assert scene.replica(held)["metadata"]["deletionTimestamp"]
    scene.let_work_pass()
    writes = scene.writes_since(mark, "secrets")
    assert [(each.verb, each.code) for each in writes if each.namespace == held] == [("delete", 200)]
    scene.hub.patch(replica, metadata={"finalizers": None})
    scene.until(lambda: payload(scene.replica(held)) == payload(source))
    assert payload(scene.replica(free)) == payload(source)
    assert "finalizers" not in scene.replica(held)["metadata"]
    scene.until_ready("2/2")


@pytest.mark.parametrize("kind", KINDS)
def test_a_replica_deleted_by_hand_comes_back_when_its_finalizer_goes(scene: Scene, kind: str) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source(kind)
    scene.declare(source)
    replica = scene.until_replica(place, kind)
    scene.until_ready("1/1")
    mark = scene.mark()
    scene.hub.patch(replica, metadata=HOLD)
    scene.hub.delete(replica)
    scene.until_status(pending=1, synced=0)
    scene.hub.patch(source, data={"word": text(kind, "two")})
    scene.let_work_pass()
    assert scene.writes_since(mark, "secrets", "configmaps") == []
    scene.hub.patch(replica, metadata={"finalizers": None})
    scene.until(lambda: scene.replica(place, kind)["data"]["word"] == text(kind, "two"))
    scene.until_ready("1/1")


def test_a_replica_that_is_not_wanted_any_more_is_deleted_once_and_goes_with_its_finalizer(scene: Scene) -> None:
    left, kept = scene.namespaces("a", "b")
    scene.declare(scene.source())
    replica = scene.until_replica(left)
    scene.hub.patch(replica, metadata=HOLD)
    scene.until_ready("2/2")
    mark = scene.mark()
    scene.deselect(left)
    scene.until_ready("1/1")
    scene.let_work_pass()
    assert [(each.verb, each.namespace) for each in scene.writes_since(mark, "secrets")] == [("delete", left)]
    scene.hub.patch(replica, metadata={"finalizers": None})
    scene.until_gone(left)
    assert scene.replica(kept)


def test_a_replica_that_is_wanted_again_while_it_is_being_deleted_comes_back(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    scene.declare(scene.source())
    replica = scene.until_replica(place)
    scene.hub.patch(replica, metadata=HOLD)
    scene.deselect(place)
    scene.until(lambda: "deletionTimestamp" in scene.replica(place)["metadata"])
    scene.select(place)
    scene.until_status(desired=1, pending=1)
    scene.hub.patch(replica, metadata={"finalizers": None})
    scene.until(lambda: scene.replica(place)["metadata"]["uid"] != replica["metadata"]["uid"])
    scene.until_ready("1/1")
