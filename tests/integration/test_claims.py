"""Two ClusterSyncs that want the same place: the older one has it, the other says so, and takes over without a gap."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.harness import clustersync, eventually, namespace
from tests.harness.objects import Json
from tests.integration.scene import NAME, Scene, content, new_scene

scene = pytest.fixture(new_scene)


@dataclass(frozen=True, slots=True)
class Rival:
    """A second ClusterSync with a source of the same name in another namespace."""

    name: str
    source: Json


def declare_rival(scene: Scene, name: str, **spec: Any) -> Rival:
    home = f"{name}-home"
    source = scene.hub.create(namespace(home), content("Secret", home, {"word": "rival"}))
    scene.hub.create(clustersync(name, source, scene.labels, **spec))
    return Rival(name, source)


def sync_of(scene: Scene, name: str = "") -> Json:
    return {"kind": "ClusterSync", "metadata": {"name": name or scene.tag}}


def until_outranked(scene: Scene, name: str, winner: str) -> None:
    """Wait until a ClusterSync reports its one target as a conflict with the winner."""
    status = eventually(lambda: scene.hub.status(name) if scene.hub.status(name).get("conflicts") == 1 else None)
    (row,) = status["failures"]
    assert (row["reason"], row["namespace"], row["name"]) == ("Outranked", f"{scene.tag}-a", NAME)
    assert f"ClusterSync {winner}" in row["message"]
    assert (status["desired"], status["synced"]) == (1, 0)
    eventually(lambda: scene.hub.condition(name, "Ready")["reason"] == "Conflict")


def until_held_by(scene: Scene, sync: str, source: Json, uid: str) -> None:
    """Wait until the replica is another's, and find it to be the same object."""
    scene.until(lambda: scene.replica(f"{scene.tag}-a")["metadata"]["labels"]["clustersync.io/sync"] == sync)
    replica = scene.replica(f"{scene.tag}-a")
    assert (replica["data"], replica["metadata"]["uid"]) == (source["data"], uid)
    assert replica["metadata"]["annotations"]["clustersync.io/source"].split("/")[1] == source["metadata"]["namespace"]


def test_the_older_one_has_the_place_whatever_it_is_called(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    rival = declare_rival(scene, f"z-{scene.tag}")
    created = datetime.fromisoformat(str((scene.hub.get("ClusterSync", rival.name) or {})["metadata"]["creationTimestamp"]))
    uid = scene.until_replica(place)["metadata"]["uid"]
    eventually(lambda: datetime.now(UTC) >= created + timedelta(seconds=1))  # the API server counts in whole seconds
    scene.declare(scene.source())
    until_outranked(scene, scene.tag, winner=rival.name)
    until_held_by(scene, rival.name, rival.source, uid)


def test_the_younger_one_takes_over_when_the_older_one_is_deleted(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    sync = scene.declare(scene.source())
    replica = scene.until_replica(place)
    rival = declare_rival(scene, f"{scene.tag}-z")
    until_outranked(scene, rival.name, winner=scene.tag)
    assert scene.replica(place) == replica
    scene.hub.delete(sync)
    scene.until_away()
    until_held_by(scene, rival.name, rival.source, replica["metadata"]["uid"])
    eventually(lambda: scene.hub.condition(rival.name, "Ready").get("status") == "True")


CHANGES = [
    pytest.param({"namespaceSelector": {"matchLabels": {"nobody": "has"}}}, id="selects the namespace no longer"),
    pytest.param({"clusters": [{"name": "edge"}]}, id="goes to another cluster"),
    pytest.param({"deletionPolicy": "Retain", "namespaceSelector": {"matchLabels": {"nobody": "has"}}}, id="leaves and retains"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_younger_one_takes_over_when_the_older_one(scene: Scene, change: Json) -> None:
    (place,) = scene.namespaces("a")
    sync = scene.declare(scene.source())
    uid = scene.until_replica(place)["metadata"]["uid"]
    rival = declare_rival(scene, f"{scene.tag}-z")
    until_outranked(scene, rival.name, winner=scene.tag)
    scene.hub.patch(sync, spec=change)
    until_held_by(scene, rival.name, rival.source, uid)
    scene.until_ready("0/0")


def test_the_younger_one_going_changes_nothing(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    scene.declare(scene.source())
    replica = scene.until_replica(place)
    rival = declare_rival(scene, f"{scene.tag}-z")
    until_outranked(scene, rival.name, winner=scene.tag)
    scene.hub.delete(sync_of(scene, rival.name))
    eventually(lambda: scene.hub.get("ClusterSync", rival.name) is None)
    assert scene.replica(place) == replica
    scene.until_ready("1/1")


def test_an_older_one_that_is_suspended_blocks_no_new_place(scene: Scene) -> None:
    scene.declare(scene.source(), suspend=True)
    rival = declare_rival(scene, f"{scene.tag}-z")
    (place,) = scene.namespaces("a")
    until_held_by(scene, rival.name, rival.source, scene.until_replica(place)["metadata"]["uid"])
    scene.until_status(pending=1, conflicts=0)
    eventually(lambda: scene.hub.status(rival.name).get("summary") == "1/1")


def test_an_older_one_that_is_suspended_keeps_what_it_holds(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    sync = scene.declare(scene.source())
    replica = scene.until_replica(place)
    scene.hub.patch(sync, spec={"suspend": True})
    rival = declare_rival(scene, f"{scene.tag}-z")
    until_outranked(scene, rival.name, winner=scene.tag)
    assert scene.replica(place) == replica


def test_an_older_one_without_a_source_keeps_what_it_holds_and_blocks_nothing_else(scene: Scene) -> None:
    (held,) = scene.namespaces("a")
    source = scene.source()
    scene.declare(source)
    replica = scene.until_replica(held)
    scene.hub.delete(source)
    scene.until(lambda: scene.condition("SourceReady").get("reason") == "SourceNotFound")
    rival = declare_rival(scene, f"{scene.tag}-z")
    (new,) = scene.namespaces("b")
    scene.until(lambda: scene.replica(new)["data"] == rival.source["data"])
    assert scene.replica(held) == replica
