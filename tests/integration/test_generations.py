"""A status speaks about the newest generation, also of a spec that asks for the same or selects no cluster."""

from tests.harness import ControllerProcess, Objects, clustersync, eventually, namespace, secret


def test_a_spec_that_is_written_differently_and_means_the_same_is_observed(
    controller: ControllerProcess, on_hub: Objects, tag: str
) -> None:
    source = secret(tag, "s", {"word": "one"})
    sync = clustersync(tag, source, {"team": tag})
    on_hub.create(namespace(tag), source, sync)
    eventually(lambda: on_hub.status(tag).get("observedGeneration") == 1, describe=controller.tail)
    changed = on_hub.patch(sync, spec={"namespaceSelector": {"matchExpressions": []}})
    assert changed["metadata"]["generation"] == 2
    eventually(lambda: on_hub.status(tag).get("observedGeneration") == 2, describe=controller.tail)
    eventually(lambda: on_hub.condition(tag, "Ready").get("status") == "True", describe=controller.tail)
    on_hub.delete(sync)


def test_a_clustersync_that_selects_no_cluster_still_hears_of_its_source(controller: ControllerProcess, on_hub: Objects, tag: str) -> None:
    source = secret(tag, "s", {"word": "one"})
    sync = clustersync(tag, source, {"team": tag}, clusters=[{"selector": {"matchLabels": {"no": "such"}}}])
    on_hub.create(namespace(tag), sync)
    eventually(lambda: on_hub.condition(tag, "SourceReady").get("reason") == "SourceNotFound", describe=controller.tail)
    on_hub.create(source)
    eventually(lambda: on_hub.condition(tag, "Ready").get("status") == "True", describe=controller.tail)
    on_hub.delete(source)
    eventually(lambda: on_hub.condition(tag, "Ready").get("reason") == "SourceNotFound", describe=controller.tail)
    on_hub.delete(sync)


def test_a_recreation_that_a_finalizer_holds_up_keeps_what_others_wrote_on_the_old_object(
    controller: ControllerProcess, on_hub: Objects, tag: str
) -> None:
    place, source = f"{tag}-a", secret(tag, "s", {"word": "one"}, type="one")
    sync = clustersync(tag, source, {"team": tag})
    on_hub.create(namespace(tag), namespace(place, team=tag), source, sync)
    eventually(lambda: on_hub.status(tag).get("summary") == "1/1", describe=controller.tail)
    replica = secret(place, "s", {})
    on_hub.patch(replica, metadata={"annotations": {"other.io/state": "kept"}, "finalizers": ["other.io/hold"]})
    on_hub.delete(source)
    on_hub.create(secret(tag, "s", {"word": "two"}, type="two"))
    eventually(lambda: "deletionTimestamp" in (on_hub.get("Secret", "s", place) or {"metadata": {}})["metadata"], describe=controller.tail)
    on_hub.patch(replica, metadata={"finalizers": None})
    eventually(lambda: on_hub.data("Secret", place, "s") == {"word": "two"}, describe=controller.tail)
    created = on_hub.get("Secret", "s", place)
    assert created is not None
    assert (created["type"], created["metadata"]["annotations"]["other.io/state"]) == ("two", "kept")
    on_hub.delete(sync)
