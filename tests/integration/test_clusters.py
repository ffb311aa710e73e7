"""Members that are down, hang, come back or are given up: nobody else waits for them, and they are repaired by themselves."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.harness import ControllerProcess, Objects, namespace, secret
from tests.harness.objects import Json
from tests.integration.fleet import NAME, Fleet, fleet_of, paused, stopped


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet_of(tmp_path_factory.mktemp("clusters"), "edge", "far") as fleet:
        fleet.register("edge", env="edge")
        fleet.register("far", env="far")
        yield fleet


@pytest.fixture(scope="module")
def own_controller(fleet: Fleet) -> Iterator[ControllerProcess]:
    with fleet.controller() as controller:
        yield controller


@pytest.fixture
def controller(own_controller: ControllerProcess, fleet: Fleet) -> ControllerProcess:
    """The controller with all clusters within reach."""
    if not own_controller.running:
        own_controller.start()
    fleet.until(lambda: all(map(up(own_controller).get, ("local", "edge", "far"))), own_controller, seconds=40)
    return own_controller


def up(controller: ControllerProcess) -> dict[str, bool]:
    """Which clusters the metrics call reachable."""
    prefix, suffix = 'clustersync_cluster_up{cluster="', '"}'
    samples = controller.metrics().items()
    return {name.removeprefix(prefix).removesuffix(suffix): value == 1 for name, value in samples if name.startswith(prefix)}


def until_out_of_reach(fleet: Fleet, controller: ControllerProcess, tag: str, cluster: str, *, seconds: float = 20.0) -> Json:
    """Wait for a row that says so, with the cause."""
    told = "cannot be reached: "
    fleet.until(lambda: fleet.row(tag, cluster).get("message", "").startswith(told), controller, seconds=seconds)
    row = fleet.row(tag, cluster)
    assert row["reachable"] is False
    return row


def reasons(fleet: Fleet, tag: str) -> set[str]:
    return {event["reason"] for event in fleet.hub.events(tag)}


def test_a_member_that_is_down_at_the_start_delays_nobody_and_is_synced_when_it_comes(
    controller: ControllerProcess, fleet: Fleet, tag: str
) -> None:
    controller.stop()
    far = fleet.on("far")
    far.create(namespace(f"{tag}-a", team=tag))
    with stopped(far.plane):
        controller.start()
        fleet.share(tag, "local", "edge", clusters=[{"name": "local"}, {"name": "edge"}, {"name": "far"}])
        fleet.until(lambda: (fleet.word("local", tag), fleet.word("edge", tag)) == ("one", "one"), controller)
        row = until_out_of_reach(fleet, controller, tag, "far")
        assert "refused" in row["message"]
        assert fleet.row(tag, "edge") | {"synced": 1, "reachable": True} == fleet.row(tag, "edge")
        condition = fleet.hub.condition(tag, "ClustersReady")
        assert (condition["status"], condition["reason"]) == ("False", "ClusterUnreachable")
        assert condition["message"].startswith("far: cannot be reached: ")
        assert fleet.hub.status(tag)["clustersReady"] == "2/3"
        assert not fleet.ready(tag)
        assert controller.is_ready()
    fleet.until(lambda: fleet.word("far", tag) == "one" and fleet.ready(tag), controller, seconds=25)
    assert fleet.hub.status(tag)["clustersReady"] == "3/3"
    assert reasons(fleet, tag) >= {"ClusterUnreachable", "ClusterReachable", "Synced"}


def test_a_member_whose_api_server_hangs_is_told_as_unreachable_while_others_rotate_and_catches_up(
    controller: ControllerProcess, fleet: Fleet, tag: str
) -> None:
    fleet.share(tag, "local", "edge")
    fleet.until(lambda: fleet.ready(tag), controller)
    with paused(fleet.planes["edge"]):
        began = time.monotonic()
        fleet.rotate(tag, "two")
        fleet.until(lambda: fleet.word("local", tag) == "two", controller, seconds=2)
        until_out_of_reach(fleet, controller, tag, "edge", seconds=45)
        assert time.monotonic() - began >= 10
        fleet.rotate(tag, "three")
        fleet.until(lambda: fleet.word("local", tag) == "three", controller, seconds=2)
        assert fleet.row(tag, "edge")["failed"] == 0
    fleet.until(lambda: fleet.word("edge", tag) == "three" and fleet.ready(tag), controller, seconds=40)


def test_what_changes_on_a_member_out_of_sight_is_repaired_when_it_is_back(controller: ControllerProcess, fleet: Fleet, tag: str) -> None:
    edge = fleet.on("edge")
    fleet.share(tag, "local", "edge")
    edge.create(namespace(f"{tag}-b", team=tag), namespace(f"{tag}-c", team=tag))
    fleet.until(lambda: fleet.hub.status(tag).get("summary") == "4/4", controller)
    with stopped(edge.plane):
        fleet.rotate(tag, "two")
        until_out_of_reach(fleet, controller, tag, "edge")
        assert fleet.row(tag, "edge")["pending"] == 3
        controller.send(signal.SIGSTOP)
    edge.patch(secret(f"{tag}-a", NAME, {}), data=secret("", "", {"word": "edited"})["data"])
    edge.delete(secret(f"{tag}-b", NAME, {}))
    edge.patch(namespace(f"{tag}-c"), metadata={"labels": {"team": None}})
    edge.create(namespace(f"{tag}-d", team=tag))
    controller.send(signal.SIGCONT)
    wanted = [{"word": "two"}, {"word": "two"}, None, {"word": "two"}]
    fleet.until(lambda: [edge.data("Secret", f"{tag}-{each}", NAME) for each in "abcd"] == wanted, controller)
    fleet.until(lambda: fleet.hub.status(tag).get("summary") == "4/4", controller)


def test_a_cluster_that_nobody_registered_has_a_row_that_says_how_to_and_the_others_are_served(
    controller: ControllerProcess, fleet: Fleet, tag: str
) -> None:
    fleet.share(tag, "local", clusters=[{"name": "local"}, {"name": "nowhere"}])
    row = fleet.until(lambda: fleet.row(tag, "nowhere"), controller)
    assert row["reachable"] is False
    assert "clustersync.io/cluster=nowhere" in row["message"]
    fleet.until(lambda: fleet.word("local", tag) == "one", controller)
    fleet.until(lambda: fleet.hub.condition(tag, "Ready").get("reason") == "ClusterNotRegistered", controller)


def test_a_cluster_that_leaves_the_declaration_loses_its_replicas_and_its_row(
    controller: ControllerProcess, fleet: Fleet, tag: str
) -> None:
    sync = fleet.share(tag, "local", "edge")
    fleet.until(lambda: fleet.ready(tag) and fleet.hub.status(tag)["summary"] == "2/2", controller)
    fleet.hub.patch(sync, spec={"clusters": [{"name": "local"}]})
    fleet.until(lambda: fleet.word("edge", tag) is None, controller)
    fleet.until(lambda: fleet.hub.status(tag)["summary"] == "1/1" and fleet.row(tag, "edge") == {}, controller)
    assert fleet.word("local", tag) == "one"


def test_a_deletion_waits_for_clusters_out_of_reach_until_each_returns_or_is_given_up(
    controller: ControllerProcess, fleet: Fleet, tag: str
) -> None:
    skipped, removed, returned, left = (f"{tag}-{word}" for word in ("skip", "remove", "return", "left"))
    syncs = {
        skipped: fleet.share(skipped, "local", "edge"),
        removed: fleet.share(removed, "far"),
        returned: fleet.share(returned, "edge"),
        left: fleet.share(left, "edge"),
    }
    fleet.until(lambda: all(fleet.ready(name) for name in syncs), controller)
    edge, far = fleet.planes["edge"], fleet.planes["far"]
    with stopped(edge), stopped(far):
        until_out_of_reach(fleet, controller, skipped, "edge")
        until_out_of_reach(fleet, controller, removed, "far")
        fleet.hub.patch(syncs[left], spec={"clusters": [{"name": "local"}]})
        fleet.until(lambda: left_is_seen(fleet, left), controller)
        fleet.hub.delete(*syncs.values())
        for name, cluster in ((skipped, "edge"), (removed, "far"), (returned, "edge"), (left, "edge")):
            until_blocked(fleet, controller, name, cluster)
        assert fleet.word("local", skipped) is None
        fleet.planes["hub"].kubectl("annotate", "clustersync", skipped, "clustersync.io/skip-cleanup=edge")
        until_gone(fleet, controller, skipped)
        fleet.hub.delete(secret("clustersync-system", "cluster-far", {}))
        until_gone(fleet, controller, removed)
        assert fleet.hub.get("ClusterSync", returned) is not None
        assert fleet.hub.get("ClusterSync", left) is not None
    until_gone(fleet, controller, returned)
    until_gone(fleet, controller, left)
    assert [fleet.word("edge", name) for name in (returned, left, skipped)] == [None, None, "one"]
    assert fleet.word("far", removed) == "one"
    fleet.register("far", env="far")


def left_is_seen(fleet: Fleet, name: str) -> bool:
    """Whether the status speaks of the generation in which the cluster left."""
    return bool(fleet.hub.status(name)["observedGeneration"] == 2)


def until_blocked(fleet: Fleet, controller: ControllerProcess, name: str, cluster: str) -> None:
    """Wait for a condition and an event that say what holds a deletion up, and the way out."""
    condition = fleet.until(lambda: is_blocked(fleet.hub, name), controller)
    way_out = f"clustersync.io/skip-cleanup={cluster}"
    assert way_out in condition["message"]
    assert "registration" in condition["message"]
    fleet.until(
        lambda: [each for each in fleet.hub.events(name) if each["reason"] == "CleanupBlocked" and way_out in each["message"]], controller
    )


def is_blocked(hub: Objects, name: str) -> Json:
    condition = hub.condition(name, "Ready")
    return condition if condition.get("reason") == "CleanupBlocked" else {}


def until_gone(fleet: Fleet, controller: ControllerProcess, name: str) -> None:
    fleet.until(lambda: fleet.hub.get("ClusterSync", name) is None, controller, seconds=40)
