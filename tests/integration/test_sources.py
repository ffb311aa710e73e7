"""Sources that are missing, go, come back, are of no use, or are named anew."""

from typing import Any

import pytest

from tests.harness import clustersync
from tests.harness.objects import Json
from tests.integration.scene import KINDS, NAME, Scene, content, new_scene, payload, text, without_marks

scene = pytest.fixture(new_scene)

REFUSED = [
    pytest.param({"type": "kubernetes.io/service-account-token"}, id="a token of a service account"),
    pytest.param({"type": "bootstrap.kubernetes.io/token"}, id="a bootstrap token"),
    pytest.param({"type": "helm.sh/release.v1"}, id="a Helm release"),
]
FOR_DEFAULT = {"annotations": {"kubernetes.io/service-account.name": "default"}}


def until_source(scene: Scene, status: str, reason: str) -> str:
    """Wait for a verdict on the source; returns its message."""
    scene.until(lambda: (scene.condition("SourceReady").get("status"), scene.condition("SourceReady").get("reason")) == (status, reason))
    return str(scene.condition("SourceReady")["message"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_is_missing_is_said_so_and_followed_once_it_is_there(scene: Scene, kind: str) -> None:
    (place,) = scene.namespaces("a")
    scene.declare(content(kind, scene.tag, {}))
    message = until_source(scene, "False", "SourceNotFound")
    assert f"{kind} {scene.tag}/{NAME}" in message
    status = scene.until_status(desired=1, synced=0, sources=0)
    assert (scene.condition("Ready")["status"], scene.condition("Ready")["reason"]) == ("False", "SourceNotFound")
    assert "Stalled" not in {each["type"] for each in status["conditions"]}
    assert scene.until_event("SourceNotFound")["type"] == "Warning"
    source = scene.source(kind)
    scene.until_ready("1/1")
    assert payload(scene.replica(place, kind)) == payload(source)


@pytest.mark.parametrize("kind", KINDS)
def test_replicas_stay_when_the_source_goes_and_follow_the_next(scene: Scene, kind: str) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source(kind)
    scene.declare(source)
    replica = scene.until_replica(place, kind)
    scene.hub.delete(source)
    until_source(scene, "False", "SourceNotFound")
    assert scene.replica(place, kind) == replica
    source = scene.source(kind, {"word": "two"})
    scene.until(lambda: payload(scene.replica(place, kind)) == payload(source))
    assert scene.replica(place, kind)["metadata"]["uid"] == replica["metadata"]["uid"]
    scene.until_ready("1/1")


@pytest.mark.parametrize("kind", KINDS)
def test_replicas_go_with_the_source_when_that_is_wanted_and_come_back_with_it(scene: Scene, kind: str) -> None:
    places = scene.namespaces("a", "b")
    source = scene.source(kind)
    scene.declare(source, sourceDeletionPolicy="Delete")
    scene.until_ready("2/2")
    scene.hub.delete(source)
    for place in places:
        scene.until_gone(place, kind)
    until_source(scene, "False", "SourceNotFound")
    scene.source(kind, {"word": "two"})
    scene.until_ready("2/2")
    assert scene.replica(places[0], kind)["data"]["word"] == text(kind, "two")


def test_replicas_of_a_missing_source_still_go_with_the_selection(scene: Scene) -> None:
    left, kept = scene.namespaces("a", "b")
    source = scene.source()
    sync = scene.declare(source)
    scene.until_ready("2/2")
    scene.hub.delete(source)
    until_source(scene, "False", "SourceNotFound")
    scene.deselect(left)
    scene.until_gone(left)
    assert scene.replica(kept)
    scene.hub.delete(sync)
    scene.until_away()
    assert scene.hub.get("Secret", NAME, kept) is None


@pytest.mark.parametrize("refused", REFUSED)
def test_a_source_that_means_something_only_where_it_lies_is_refused(scene: Scene, refused: dict[str, Any]) -> None:
    (place,) = scene.namespaces("a")
    scene.declare(scene.source(**refused, metadata=FOR_DEFAULT))
    assert refused["type"] in until_source(scene, "False", "RefusedType")
    assert scene.condition("Stalled")["reason"] == "RefusedType"
    assert scene.until_event("RefusedType")["type"] == "Warning"
    assert scene.hub.get("Secret", NAME, place) is None


def test_replicas_stay_when_their_source_becomes_unfit_to_be_one(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source()
    scene.declare(source, sourceDeletionPolicy="Delete")
    replica = scene.until_replica(place)
    scene.until_ready("1/1")
    mark = scene.mark()
    scene.hub.replace(source | {"metadata": {"namespace": scene.tag, "name": NAME, "labels": {"clustersync.io/hub": "another"}}})
    until_source(scene, "False", "SourceIsReplica")
    assert scene.replica(place) == replica
    assert scene.writes_since(mark, "secrets") == []


def test_a_replica_is_never_a_source(scene: Scene) -> None:
    place, beyond = scene.namespaces("a")[0], scene.bystander("beyond")
    scene.declare(scene.source())
    replica = scene.until_replica(place)
    chained = f"{scene.tag}-chained"
    names = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": [beyond]}]}
    scene.hub.create(clustersync(chained, replica, {}, namespaceSelector=names))
    scene.until(lambda: scene.hub.condition(chained, "SourceReady").get("reason") == "SourceIsReplica")
    assert scene.hub.condition(chained, "Ready")["status"] == "False"
    assert scene.hub.get("Secret", NAME, beyond) is None
    assert scene.replica(place) == replica


def test_the_source_is_no_target_when_its_own_namespace_is_selected(scene: Scene) -> None:
    source = scene.source()
    (place,) = scene.namespaces("a")
    scene.select(scene.tag)
    sync = scene.declare(source)
    scene.until_ready("1/1")
    scene.hub.patch(scene.replica(place), data={"word": None})
    scene.until(lambda: payload(scene.replica(place)) == payload(source))
    scene.hub.delete(sync)
    scene.until_away()
    assert scene.replica(scene.tag) == source
    assert scene.hub.get("Secret", NAME, place) is None


def other_source(scene: Scene, kind: str, name: str) -> Json:
    fields = content(kind, scene.tag, {"word": "other"})
    return scene.hub.create(fields | {"metadata": {"namespace": scene.tag, "name": name}})


@pytest.mark.parametrize(("kind", "name"), [("Secret", "other"), ("ConfigMap", NAME)], ids=["of another name", "of another kind"])
def test_another_source_replaces_the_replicas_of_the_first(scene: Scene, kind: str, name: str) -> None:
    (place,) = scene.namespaces("a")
    first, second = scene.source(), other_source(scene, kind, name)
    sync = scene.declare(first)
    scene.until_ready("1/1")
    scene.hub.patch(sync, spec={"source": {"kind": kind, "name": name}})
    scene.until_gone(place)
    scene.until_ready("1/1")
    assert payload(scene.hub.get(kind, name, place) or {}) == payload(second)
    assert scene.replica(scene.tag) == first


def test_another_source_leaves_the_replicas_of_the_first_where_they_are_retained(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    first, second = scene.source(), other_source(scene, "Secret", "other")
    sync = scene.declare(first, deletionPolicy="Retain")
    replica = scene.until_replica(place)
    scene.until_ready("1/1")
    scene.hub.patch(sync, spec={"source": {"name": "other"}})
    scene.until_ready("1/1")
    assert payload(scene.hub.get("Secret", "other", place) or {}) == payload(second)
    after = scene.until(lambda: scene.replica(place) if "labels" not in scene.replica(place)["metadata"] else None)
    assert after["metadata"]["uid"] == replica["metadata"]["uid"]
    assert without_marks(after) == without_marks(replica)


def test_a_source_of_the_same_name_in_another_namespace_is_taken_over_in_place(scene: Scene) -> None:
    (place,), elsewhere = scene.namespaces("a"), scene.bystander("elsewhere")
    sync = scene.declare(scene.source())
    replica = scene.until_replica(place)
    second = scene.hub.create(content("Secret", elsewhere, {"word": "other"}))
    scene.hub.patch(sync, spec={"source": {"namespace": elsewhere}})
    scene.until(lambda: payload(scene.replica(place)) == payload(second))
    assert scene.replica(place)["metadata"]["uid"] == replica["metadata"]["uid"]
    assert scene.replica(place)["metadata"]["annotations"]["clustersync.io/source"] == f"local/{elsewhere}/{NAME}"


def test_a_source_with_no_room_for_our_marks_is_a_failure_that_names_the_limit(scene: Scene) -> None:
    scene.namespaces("a")
    scene.declare(scene.source(metadata={"annotations": {"large": "x" * 262_100}}))
    status = scene.until_status(failed=1, desired=1)
    assert "262144" in status["failures"][0]["message"]
    assert "xxxx" not in status["failures"][0]["message"]
