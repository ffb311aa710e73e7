"""Namespaces that come, go, change their labels, refuse, are protected, or end while they are being filled."""

from typing import Any

import pytest

from tests.harness import clustersync, eventually, namespace, secret
from tests.harness.objects import Json
from tests.integration.scene import KINDS, NAME, Scene, content, new_scene, payload, without_marks

scene = pytest.fixture(new_scene)

HOLD = {"finalizers": ["foreign.example.com/hold"]}


def by_name(*names: str) -> Json:
    return {"namespaceSelector": {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(names)}]}}


@pytest.mark.parametrize("kind", KINDS)
def test_a_namespace_gets_its_replica_with_its_labels_and_loses_it_with_them(scene: Scene, kind: str) -> None:
    source = scene.source(kind)
    scene.declare(source)
    scene.until_ready("0/0")
    (new,), later = scene.namespaces("new"), scene.bystander("later")
    assert payload(scene.until_replica(new, kind)) == payload(source)
    scene.select(later)
    assert payload(scene.until_replica(later, kind)) == payload(source)
    scene.until_ready("2/2")
    scene.deselect(new)
    scene.until_gone(new, kind)
    assert scene.until_ready("1/1")["desired"] == 1
    assert scene.replica(later, kind)


def test_a_namespace_whose_label_changes_its_value_is_left(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    scene.declare(scene.source())
    scene.until_replica(place)
    scene.hub.patch(namespace(place), metadata={"labels": {"team": "another"}})
    scene.until_gone(place)


@pytest.mark.parametrize("stays", [pytest.param(True, id="on"), pytest.param(False, id="off")])
def test_of_a_label_that_flips_the_last_state_counts(scene: Scene, stays: bool) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source()
    scene.declare(source)
    scene.until_replica(place)
    for _ in range(15):
        scene.deselect(place)
        scene.select(place)
    if not stays:
        scene.deselect(place)
    scene.until_ready("1/1" if stays else "0/0")
    scene.let_work_pass()
    found = scene.hub.get("Secret", NAME, place)
    assert (payload(found) if found else None) == (payload(source) if stays else None)
    scene.until_ready("1/1" if stays else "0/0")


def test_a_namespace_whose_label_is_taken_off_keeps_what_is_to_be_retained(scene: Scene) -> None:
    (place,) = scene.namespaces("a")
    source = scene.source(metadata={"labels": {"tier": "gold"}, "annotations": {"example.com/owner": "ann"}})
    scene.declare(source, deletionPolicy="Retain")
    replica = scene.until_replica(place)
    scene.deselect(place)
    after = scene.until(lambda: scene.replica(place) if scene.replica(place) != replica else None)
    assert after["metadata"]["uid"] == replica["metadata"]["uid"]
    assert after["metadata"]["labels"] == {"tier": "gold"}
    assert after["metadata"]["annotations"] == {"example.com/owner": "ann"}
    assert without_marks(after) == without_marks(replica)
    scene.select(place)
    scene.until_status(conflicts=1)


OPERATORS = [
    pytest.param({"operator": "Exists"}, {"a", "b"}, id="Exists"),
    pytest.param({"operator": "In", "values": ["gold", "tin"]}, {"a"}, id="In"),
    pytest.param({"operator": "NotIn", "values": ["gold"]}, {"b", "c"}, id="NotIn, which a namespace without the label matches too"),
    pytest.param({"operator": "DoesNotExist"}, {"c"}, id="DoesNotExist"),
]


@pytest.mark.parametrize(("requirement", "selected"), OPERATORS)
def test_selectors_mean_what_they_mean_in_kubernetes(scene: Scene, requirement: dict[str, Any], selected: set[str]) -> None:
    a, b, _ = scene.namespaces("a", "b", "c")
    scene.hub.patch(namespace(a), metadata={"labels": {"tier": "gold"}})
    scene.hub.patch(namespace(b), metadata={"labels": {"tier": "iron"}})
    selector = {"matchLabels": scene.labels, "matchExpressions": [{"key": "tier", **requirement}]}
    scene.declare(scene.source(), namespaceSelector=selector)
    scene.until_ready(f"{len(selected)}/{len(selected)}")
    assert {suffix for suffix in "abc" if scene.hub.get("Secret", NAME, f"{scene.tag}-{suffix}")} == selected


def test_everything_is_selected_by_an_empty_selector_but_what_is_protected(scene: Scene) -> None:
    # Of a name of its own: this one reaches the namespaces of all other tests.
    source = scene.hub.create(secret(scene.tag, f"everywhere-{scene.tag}", {"word": "one"}))
    sync = scene.declare(source, namespaceSelector={})
    status = scene.until(lambda: scene.hub.status(scene.tag) if scene.condition("Ready").get("status") == "True" else None)
    names = {each["metadata"]["name"] for each in scene.hub.select("Namespace") if "deletionTimestamp" not in each["metadata"]}
    protected = {name for name in names if name.startswith("kube-")} | {"clustersync-system"}
    places = {each["metadata"]["namespace"] for each in scene.hub.select("Secret", selector=f"clustersync.io/sync={scene.tag}")}
    assert places == names - protected - {scene.tag}
    assert status["desired"] == len(places)
    scene.hub.delete(sync)
    scene.until_away()
    left = [each for each in scene.hub.select("Secret") if each["metadata"]["name"] == source["metadata"]["name"]]
    assert [each["metadata"] for each in left] == [source["metadata"]]


@pytest.mark.parametrize("protected", ["kube-public", "clustersync-system"])
def test_protected_namespaces_are_never_touched(scene: Scene, protected: str) -> None:
    (place,) = scene.namespaces("a")
    sync = scene.declare(scene.source(), **by_name(protected, place))
    scene.until_ready("1/1")
    assert scene.hub.get("Secret", NAME, protected) is None
    metadata = {key: scene.replica(place)["metadata"][key] for key in ("labels", "annotations")}
    metadata["annotations"]["clustersync.io/target"] = f"{protected}/{NAME}"
    forged = scene.hub.create(content("Secret", protected, {"mine": "x"}, metadata=metadata))
    scene.let_work_pass()
    assert scene.replica(protected) == forged
    scene.hub.delete(sync)
    scene.until_away()
    assert scene.replica(protected) == forged
    scene.hub.delete(forged)


def test_a_namespace_whose_owner_opts_out_is_not_selected(scene: Scene) -> None:
    out, stays = scene.namespaces("a", "b")
    scene.declare(scene.source())
    scene.until_ready("2/2")
    scene.hub.patch(namespace(out), metadata={"labels": {"clustersync.io/opt-out": "true"}})
    scene.until_gone(out)
    scene.until_ready("1/1")
    assert scene.replica(stays)


def test_a_quota_that_refuses_one_namespace_holds_up_no_other_and_heals(scene: Scene) -> None:
    full, *others = scene.namespaces("a", "b", "c")
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"namespace": full, "name": "none"}}
    scene.hub.create(quota | {"spec": {"hard": {"count/secrets": "0"}}})
    scene.until(lambda: (scene.hub.get("ResourceQuota", "none", full) or {}).get("status", {}).get("used"))
    source = scene.source()
    sync = scene.declare(source)
    status = scene.until_status(failed=1, synced=2, summary="2/3")
    (row,) = status["failures"]
    assert (row["namespace"], row["name"], row["reason"]) == (full, NAME, "Forbidden")
    assert "exceeded quota: none" in row["message"]
    assert (scene.condition("Ready")["status"], scene.condition("Ready")["reason"]) == ("False", "TargetFailed")
    assert "Stalled" not in {each["type"] for each in status["conditions"]}
    assert "exceeded quota: none" in scene.until_event("TargetFailed")["message"]
    assert all(payload(scene.replica(other)) == payload(source) for other in others)
    scene.hub.delete(quota)
    scene.request_reconcile(sync)
    scene.until_ready("3/3")
    assert scene.hub.status(scene.tag)["failures"] == []


def test_a_failure_heals_by_itself(scene: Scene) -> None:
    (full,) = scene.namespaces("a")
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"namespace": full, "name": "none"}}
    scene.hub.create(quota | {"spec": {"hard": {"count/configmaps": "0"}}})
    scene.until(lambda: (scene.hub.get("ResourceQuota", "none", full) or {}).get("status", {}).get("used"))
    scene.declare(scene.source("ConfigMap"))
    scene.until_status(failed=1)
    scene.hub.delete(quota)
    scene.until_ready("1/1")


def test_a_namespace_that_terminates_is_left_alone_and_not_counted(scene: Scene) -> None:
    ending, stays = scene.namespaces("a", "b")
    held = scene.hub.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": ending, "name": "held", **HOLD}})
    source = scene.source()
    scene.declare(source)
    scene.until_ready("2/2")
    mark = scene.mark()
    scene.hub.delete(namespace(ending))
    scene.until_ready("1/1")
    scene.until_gone(ending)
    scene.hub.replace(content("Secret", scene.tag, {"word": "two"}))
    scene.let_work_pass()
    assert {each.namespace for each in scene.writes_since(mark, "secrets")} == {stays}
    scene.hub.patch(held, metadata={"finalizers": None})


def test_a_namespace_that_ends_while_it_is_filled_is_no_failure_and_its_successor_is_filled_again(scene: Scene) -> None:
    names = [f"{scene.tag}-{number:02}" for number in range(20)]
    for name in names:
        source = scene.hub.create(secret(scene.tag, name, {"word": name}))
        scene.hub.create(clustersync(name, source, scene.labels))
    (place,) = scene.namespaces("a")
    scene.hub.delete(namespace(place))
    eventually(lambda: all(scene.hub.status(name).get("desired") == 0 for name in names))
    assert all(scene.hub.status(name)["failures"] == [] for name in names)
    scene.until(lambda: scene.hub.get("Namespace", place) is None)
    assert all("TargetFailed" not in {each["reason"] for each in scene.hub.events(name)} for name in names)
    scene.namespaces("a")
    eventually(lambda: all(scene.hub.data("Secret", place, name) is not None for name in names))
    eventually(lambda: all(scene.hub.status(name)["summary"] == "1/1" for name in names))
