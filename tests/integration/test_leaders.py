"""Two controllers of one hub: one writes, the other waits with warm caches, and takes over by itself."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.controlplane import AuditEvent, Mark
from tests.harness import ControllerProcess, eventually
from tests.harness.objects import Json
from tests.integration.fleet import Fleet, fleet_of

LEASE = "/apis/coordination.k8s.io/v1/namespaces/clustersync-system/leases/clustersync"
LEASE_SECONDS = 15.0
RETRY_SECONDS = 2.0
"""The last renewal before a death lies at most this long before it, and a request."""

USERS = {"one": "controller-one", "two": "controller-two"}


@dataclass(frozen=True, slots=True)
class Pair:
    """The controllers by the names of their users, which the audit log tells apart."""

    fleet: Fleet
    controllers: dict[str, ControllerProcess]

    def leaders(self) -> list[str]:
        """Return those who say that they lead."""
        return [name for name, each in self.controllers.items() if each.running and each.metrics()["clustersync_leader"] == 1]

    def writers(self, mark: Mark) -> list[AuditEvent]:
        """Return the writes since a mark, the lease's aside."""
        events = self.fleet.planes["hub"].audit.since(mark, user_agent="clustersync")
        return [each for each in events if each.verb in ("create", "update", "patch", "delete") and each.resource != "leases"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet_of(tmp_path_factory.mktemp("leaders")) as fleet:
        yield fleet


@pytest.fixture
def pair(fleet: Fleet) -> Iterator[Pair]:
    """Controller one, which leads, and controller two, which stands by."""
    one, two = (own(fleet, name) for name in USERS)
    with one:
        eventually(lambda: one.metrics()["clustersync_leader"] == 1, describe=one.tail)
        with two:
            yield Pair(fleet, {"one": one, "two": two})


def own(fleet: Fleet, name: str, *options: str) -> ControllerProcess:
    kubeconfig = fleet.planes["hub"].kubeconfig_for(USERS[name], ("system:masters",))
    return ControllerProcess(kubeconfig, fleet.folder / f"{name}.log", *options)


def lease(fleet: Fleet) -> Json:
    spec: Json = fleet.planes["hub"].request("GET", LEASE).json()["spec"]
    return spec


def test_of_two_controllers_one_writes_and_the_other_is_ready(pair: Pair, fleet: Fleet, tag: str) -> None:
    mark = fleet.planes["hub"].audit.mark()
    fleet.share(tag, "local")
    fleet.until(lambda: fleet.ready(tag), pair.controllers["one"])
    fleet.rotate(tag, "two")
    fleet.until(lambda: fleet.word("local", tag) == "two", pair.controllers["one"])
    assert pair.leaders() == ["one"]
    assert {each.user for each in pair.writers(mark)} == {"controller-one"}
    assert [each.probe("/readyz") for each in pair.controllers.values()] == [200, 200]
    assert [each.probe("/healthz") for each in pair.controllers.values()] == [200, 200]


def test_a_leader_told_to_end_hands_over_at_once_and_writes_nothing_afterwards(pair: Pair, fleet: Fleet, tag: str) -> None:
    fleet.share(tag, "local")
    fleet.until(lambda: fleet.ready(tag), pair.controllers["one"])
    mark, transitions = fleet.planes["hub"].audit.mark(), lease(fleet)["leaseTransitions"]
    assert pair.controllers["one"].stop() == 0
    fleet.rotate(tag, "two")
    fleet.until(lambda: fleet.word("local", tag) == "two", pair.controllers["two"], seconds=5)
    users = [each.user for each in sorted(pair.writers(mark), key=lambda each: each.timestamp)]
    assert users == sorted(users), "one wrote after two did"
    assert users[-1] == "controller-two"
    assert pair.leaders() == ["two"]
    assert lease(fleet)["leaseTransitions"] == transitions + 1


def test_a_leader_that_was_killed_is_followed_when_its_lease_has_expired(pair: Pair, fleet: Fleet, tag: str) -> None:
    fleet.share(tag, "local")
    fleet.until(lambda: fleet.ready(tag), pair.controllers["one"])
    mark = fleet.planes["hub"].audit.mark()
    pair.controllers["one"].kill()
    killed = time.monotonic()
    fleet.rotate(tag, "two")
    fleet.until(lambda: fleet.word("local", tag) == "two", pair.controllers["two"], seconds=2 * LEASE_SECONDS)
    assert time.monotonic() - killed >= LEASE_SECONDS - 2 * RETRY_SECONDS
    assert {each.user for each in pair.writers(mark)} == {"controller-two"}
    fleet.until(lambda: fleet.ready(tag), pair.controllers["two"])


def test_a_standby_that_takes_over_writes_nothing_that_is_there_already(pair: Pair, fleet: Fleet, tag: str) -> None:
    fleet.share(tag, "local")
    fleet.until(lambda: fleet.ready(tag), pair.controllers["one"])
    name = f"{tag}-bystander"
    pair.controllers["one"].stop()
    mark = fleet.planes["hub"].audit.mark()
    fleet.share(name, "local")
    fleet.until(lambda: fleet.ready(name), pair.controllers["two"])
    strangers = [each for each in pair.writers(mark) if not (each.name.startswith(name) or each.namespace.startswith(name))]
    assert [each for each in strangers if each.name.startswith(tag) or each.namespace.startswith(tag)] == []


def test_without_election_no_lease_is_needed(fleet: Fleet, tag: str) -> None:
    fleet.planes["hub"].request("DELETE", LEASE)
    with own(fleet, "one", "--no-leader-elect") as controller:
        fleet.share(tag, "local")
        fleet.until(lambda: fleet.ready(tag), controller)
        assert controller.metrics()["clustersync_leader"] == 1
    assert fleet.planes["hub"].request("GET", LEASE).status == 404
