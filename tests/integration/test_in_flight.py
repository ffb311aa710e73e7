"""What changes while a write is under way: the write lands, and its target is then looked at again."""

from collections.abc import Iterator

import pytest

from tests.harness import eventually, namespace, secret
from tests.harness.objects import Json
from tests.integration.fleet import NAME, Fleet, fleet_of, paused


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet_of(tmp_path_factory.mktemp("fleet"), "edge") as fleet:
        fleet.register("edge")
        yield fleet


def test_a_clustersync_deleted_while_its_first_write_is_under_way_leaves_nothing_behind(fleet: Fleet, tag: str) -> None:
    with fleet.controller() as controller:
        eventually(lambda: 'clustersync_watch_age_seconds{cluster="edge"}' in controller.metrics(), describe=controller.tail)
        with paused(fleet.planes["edge"]):
            # Its namespace cannot be made on a paused cluster: the selector matches one that is there already.
            sync = fleet.declare(tag, _source(fleet, tag), {"namespaceSelector": {"matchLabels": DEFAULT}, "clusters": [{"name": "edge"}]})
            eventually(lambda: fleet.hub.status(tag).get("pending") == 1, describe=controller.tail)
            fleet.hub.delete(sync)
            eventually(lambda: fleet.hub.condition(tag, "ReplicasReady").get("reason") == "Deleting", describe=controller.tail)
        eventually(lambda: fleet.hub.get("ClusterSync", tag) is None, seconds=60, describe=controller.tail)
        assert fleet.on("edge").get("Secret", NAME, "default") is None


DEFAULT = {"kubernetes.io/metadata.name": "default"}


def _source(fleet: Fleet, tag: str) -> Json:
    source = secret(tag, NAME, {"word": "one"})
    fleet.hub.create(namespace(tag), source)
    return source
