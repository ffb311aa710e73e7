"""Objects that are not ours are left byte for byte, and said to be in the way; whatever they look like."""

from collections.abc import Callable

import pytest

from tests.harness import clustersync, secret
from tests.harness.objects import Json
from tests.integration.scene import KINDS, NAME, Scene, content, new_scene, text

scene = pytest.fixture(new_scene)

HOLD = {"finalizers": ["foreign.example.com/hold"]}


def plain(kind: str, place: str, replica: Json) -> Json:
    return content(kind, place, {"mine": "x"})


def equal(kind: str, place: str, replica: Json) -> Json:
    fields = {key: replica[key] for key in ("type", "data", "binaryData") if key in replica}
    return content(kind, place, {}) | fields


def immutable(kind: str, place: str, replica: Json) -> Json:
    return content(kind, place, {"mine": "x"}, immutable=True)


def of_another_type(kind: str, place: str, replica: Json) -> Json:
    return secret(place, NAME, {"username": "ann"}, type="kubernetes.io/basic-auth") if kind == "Secret" else content(kind, place, {})


def with_our_name_on_it(kind: str, place: str, replica: Json) -> Json:
    labels = {key: value for key, value in replica["metadata"]["labels"].items() if key != "clustersync.io/hub"}
    return content(kind, place, {"mine": "x"}, metadata={"labels": labels, "annotations": {"clustersync.io/target": f"{place}/{NAME}"}})


def of_another_hub(kind: str, place: str, replica: Json) -> Json:
    labels = replica["metadata"]["labels"] | {"clustersync.io/hub": "11111111-2222-3333-4444-555555555555"}
    return content(kind, place, {"mine": "x"}, metadata={"labels": labels, "annotations": {"clustersync.io/target": f"{place}/{NAME}"}})


def copied_from_a_replica(kind: str, place: str, replica: Json) -> Json:
    metadata = {key: replica["metadata"][key] for key in ("labels", "annotations")}
    return content(kind, place, {"mine": "x"}, metadata=metadata)


FOREIGN = [
    pytest.param(plain, id="made by somebody"),
    pytest.param(equal, id="with the very same data"),
    pytest.param(immutable, id="immutable"),
    pytest.param(of_another_type, id="of another type"),
    pytest.param(with_our_name_on_it, id="with all our marks but the hub's"),
    pytest.param(of_another_hub, id="of another hub"),
    pytest.param(copied_from_a_replica, id="copied from a replica with all its marks"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("build", FOREIGN)
def test_an_object_in_the_way_stays_as_it_is_and_others_proceed(scene: Scene, kind: str, build: Callable[[str, str, Json], Json]) -> None:
    (free,), taken = scene.namespaces("free"), scene.bystander("taken")
    source = scene.source(kind)
    sync = scene.declare(source)
    foreign = scene.hub.create(build(kind, taken, scene.until_replica(free, kind)))
    mark = scene.mark()
    scene.select(taken)
    scene.until_status(conflicts=1, synced=1, failed=0, summary="1/2")
    scene.hub.patch(source, data={"word": text(kind, "two")})
    scene.until(lambda: scene.replica(free, kind)["data"]["word"] == text(kind, "two"))
    scene.request_reconcile(sync)
    scene.hub.delete(sync)
    scene.until_away()
    assert scene.hub.get(kind, NAME, free) is None
    assert scene.replica(taken, kind) == foreign
    tries = [each for each in scene.writes_since(mark, "secrets", "configmaps") if each.namespace == taken]
    assert {(each.verb, each.code) for each in tries} <= {("create", 409)}


def test_a_conflict_is_named_wherever_somebody_may_look(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    foreign = scene.hub.create(content("Secret", place, {}))
    scene.declare(scene.source())
    status = scene.until_status(conflicts=1, desired=1)
    (row,) = status["failures"]
    assert (row["cluster"], row["namespace"], row["name"], row["reason"]) == ("local", place, NAME, "Conflict")
    assert f"Secret {place}/{NAME}" in row["message"]
    for condition, value in (("Ready", "False"), ("ReplicasReady", "False"), ("Stalled", "True")):
        assert (scene.condition(condition)["status"], scene.condition(condition)["reason"]) == (value, "Conflict")
    assert f"Secret {place}/{NAME}" in scene.condition("Ready")["message"]
    event = scene.until_event("Conflict")
    assert (event["type"], f"Secret {place}/{NAME}" in event["message"]) == ("Warning", True)
    on_foreign = scene.until(lambda: [each for each in scene.hub.select("Event", place) if each["reason"] == "Conflict"])
    assert on_foreign[0]["involvedObject"]["uid"] == foreign["metadata"]["uid"]
    assert scene.tag in on_foreign[0]["message"]


def test_a_request_to_reconcile_looks_again_at_once_when_the_way_is_free(scene: Scene) -> None:
    places = scene.namespaces("a", "b")
    foreign = [scene.hub.create(content("Secret", place, {})) for place in places]
    sync = scene.declare(scene.source())
    scene.until_status(conflicts=2)
    scene.hub.delete(*foreign)
    scene.request_reconcile(sync)
    scene.until_ready("2/2")
    assert scene.condition("Stalled") == {}
    assert scene.hub.status(scene.tag)["failures"] == []


def test_an_object_that_is_on_its_way_out_is_waited_for(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    foreign = scene.hub.create(content("Secret", place, {}, metadata=HOLD))
    scene.hub.delete(foreign)
    foreign = scene.replica(place)
    sync = scene.declare(scene.source())
    scene.until_status(desired=1, pending=1, conflicts=0)
    assert scene.replica(place) == foreign
    scene.hub.patch(foreign, metadata={"finalizers": None})
    scene.request_reconcile(sync)
    scene.until_ready("1/1")
    assert scene.replica(place)["metadata"]["uid"] != foreign["metadata"]["uid"]


RELEASES = [
    pytest.param({"labels": {"clustersync.io/hub": None}}, id="the hub's label is taken off"),
    pytest.param({"annotations": {"clustersync.io/target": None}}, id="the annotation that says where it belongs is taken off"),
    pytest.param({"annotations": {"clustersync.io/target": "other/place"}}, id="the annotation that says where it belongs is edited"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metadata", RELEASES)
def test_a_replica_is_released_by_hand(scene: Scene, kind: str, metadata: Json) -> None:
    released, kept = scene.namespaces("a", "b")
    source = scene.source(kind)
    sync = scene.declare(source)
    scene.until_replica(released, kind)
    scene.until_ready("2/2")
    theirs = scene.hub.patch(scene.replica(released, kind), metadata=metadata, data={"word": text(kind, "theirs")})
    scene.until_status(conflicts=1, synced=1)
    scene.hub.patch(source, data={"word": text(kind, "two")})
    scene.until(lambda: scene.replica(kept, kind)["data"]["word"] == text(kind, "two"))
    scene.hub.delete(sync)
    scene.until_away()
    assert scene.replica(released, kind) == theirs


def test_a_released_replica_is_taken_back_when_its_label_is_put_on_again(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    scene.declare(scene.source())
    replica = scene.until_replica(place)
    hub_id = replica["metadata"]["labels"]["clustersync.io/hub"]
    scene.hub.patch(replica, metadata={"labels": {"clustersync.io/hub": None}}, data={"word": text("Secret", "theirs")})
    scene.until_status(conflicts=1)
    scene.hub.patch(replica, metadata={"labels": {"clustersync.io/hub": hub_id}})
    scene.until_ready("1/1")
    after = scene.replica(place)
    assert (after["metadata"]["uid"], after["data"]) == (replica["metadata"]["uid"], replica["data"])


def test_a_copy_outside_the_selection_is_left_alone_and_told(scene: Scene) -> None:
    (place,), elsewhere = scene.namespaces("a"), scene.bystander("elsewhere")
    sync = scene.declare(scene.source())
    copy = scene.hub.create(copied_from_a_replica("Secret", elsewhere, scene.until_replica(place)))
    assert f"Secret {elsewhere}/{NAME}" in scene.until_event("CopiedReplica")["message"]
    scene.until_ready("1/1")
    scene.hub.delete(sync)
    scene.until_away()
    assert scene.replica(elsewhere) == copy


def test_the_source_of_another_is_never_a_target(scene: Scene) -> None:
    place, beyond = scene.namespaces("a")[0], scene.bystander("beyond")
    other = scene.hub.create(content("Secret", place, {"mine": "x"}))
    scene.hub.patch({"kind": "Namespace", "metadata": {"name": beyond}}, metadata={"labels": {"other": scene.tag}})
    scene.hub.create(clustersync(f"{scene.tag}-other", other, {"other": scene.tag}))
    scene.until_replica(beyond)
    scene.declare(scene.source())
    status = scene.until_status(conflicts=1, desired=1)
    assert status["failures"][0]["reason"] == "TargetIsSource"
    assert scene.replica(place) == other
