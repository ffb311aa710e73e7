"""A suspended ClusterSync writes nothing, deletes nothing, and goes on saying how things are."""

import pytest

from tests.integration.scene import NAME, Scene, new_scene, payload, text

scene = pytest.fixture(new_scene)


def test_nothing_is_written_while_it_is_suspended_from_the_start(scene: Scene) -> None:
    places = scene.namespaces("a", "b")
    source = scene.source()
    mark = scene.mark()
    sync = scene.declare(source, suspend=True)
    scene.until_status(desired=2, pending=2, synced=0, failed=0)
    assert scene.condition("Suspended")["status"] == "True"
    assert (scene.condition("Ready")["status"], scene.condition("Ready")["reason"]) == ("False", "Suspended")
    assert scene.condition("Reconciling") == {}
    scene.let_work_pass()
    assert scene.writes_since(mark, "secrets") == []
    scene.hub.patch(sync, spec={"suspend": False})
    scene.until_ready("2/2")
    assert scene.condition("Suspended") == {}
    assert all(payload(scene.replica(place)) == payload(source) for place in places)


def test_what_happens_meanwhile_is_counted_and_made_up_for(scene: Scene) -> None:
    edited, deleted, left, kept = scene.namespaces("a", "b", "c", "d")
    source = scene.source()
    sync = scene.declare(source)
    scene.until_ready("4/4")
    scene.hub.patch(sync, spec={"suspend": True})
    assert scene.until(lambda: scene.condition("Suspended").get("status") == "True")
    scene.until_status(desired=4, synced=4, pending=0)
    assert scene.condition("Ready")["status"] == "True"
    mark = scene.mark()
    scene.hub.patch(scene.replica(edited), data={"word": None})
    scene.hub.delete(scene.replica(deleted))
    scene.deselect(left)
    (new,) = scene.namespaces("e")
    scene.until(lambda: (scene.hub.status(scene.tag)["synced"], scene.hub.status(scene.tag)["pending"]) == (1, 4))
    scene.let_work_pass()
    assert scene.writes_since(mark, "secrets") == []
    assert scene.replica(left)
    scene.hub.patch(sync, spec={"suspend": False})
    scene.until_ready("4/4")
    assert scene.hub.get("Secret", NAME, left) is None
    assert all(payload(scene.replica(place)) == payload(source) for place in (edited, deleted, kept, new))


def test_a_changed_source_waits_for_the_end_of_the_suspension(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source()
    sync = scene.declare(source)
    scene.until_ready("1/1")
    scene.hub.patch(sync, spec={"suspend": True})
    scene.until_status(synced=1)
    scene.hub.patch(source, data={"word": text("Secret", "two")})
    scene.until_status(pending=1, synced=0)
    assert scene.replica(place)["data"]["word"] == text("Secret", "one")
    scene.hub.patch(sync, spec={"suspend": False})
    scene.until_ready("1/1")
    assert scene.replica(place)["data"]["word"] == text("Secret", "two")


def test_it_lets_go_when_it_is_deleted_and_its_replicas_stay(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    sync = scene.declare(scene.source())
    replica = scene.until_replica(place)
    scene.until_ready("1/1")
    scene.hub.patch(sync, spec={"suspend": True})
    scene.hub.delete(sync)
    scene.until_away()
    scene.deselect(place)
    scene.let_work_pass()
    assert scene.replica(place) == replica
    assert "stay" in scene.until_event("ReplicasKept")["message"]


def test_one_that_follows_it_takes_its_replicas_on(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source()
    sync = scene.declare(source)
    replica = scene.until_replica(place)
    scene.hub.patch(sync, spec={"suspend": True})
    scene.hub.delete(sync)
    scene.until_away()
    scene.declare(source)
    scene.until_ready("1/1")
    assert scene.replica(place) == replica
    scene.deselect(place)
    scene.until_gone(place)
