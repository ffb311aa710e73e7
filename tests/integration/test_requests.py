"""What a fan-out and a rotation ask of the API server, counted in its audit log: as many writes as replicas, and nothing else."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.controlplane import AuditEvent, Mark
from tests.harness import ControllerProcess, Objects, clustersync, eventually, namespace, secret

WIDTH = 300
TAG = "wide"
NAME = "credential"


@dataclass(frozen=True, slots=True)
class Span:
    """What the controller asked of the hub, from a moment on to the end of the work."""

    events: list[AuditEvent]
    seconds: float
    told: int
    """How often an event about the ClusterSync was posted or counted up."""

    def replicas(self) -> Counter[str]:
        """Requests for Secrets in the namespaces and across all of them, by verb; watches aside, which anybody's source may open."""
        mine = (each for each in self.events if each.resource == "secrets" and (each.namespace.startswith(f"{TAG}-") or not each.namespace))
        return Counter(each.verb for each in mine if each.verb != "watch")

    def statuses(self) -> int:
        """Writes of the ClusterSync's status."""
        return sum(each.subresource == "status" and each.name == TAG for each in self.events)


@dataclass(frozen=True, slots=True)
class Begun:
    """The moment before."""

    hub: Objects
    mark: Mark
    at: float
    told: int

    def ended(self) -> Span:
        """Everything up to now."""
        seconds = time.monotonic() - self.at
        return Span(self.hub.plane.audit.since(self.mark, user_agent="clustersync"), seconds, told(self.hub) - self.told)


def begin(hub: Objects) -> Begun:
    return Begun(hub, hub.plane.audit.mark(), time.monotonic(), told(hub))


def told(hub: Objects) -> int:
    return sum(event["count"] for event in hub.events(TAG))


def words(hub: Objects) -> Counter[str]:
    """What the replicas say, each word with their number."""
    return Counter(each["data"]["word"] for each in hub.select("Secret", selector=f"clustersync.io/sync={TAG}"))


def encoded(word: str) -> str:
    data: dict[str, str] = secret("", "", {"word": word})["data"]
    return data["word"]


@pytest.fixture(scope="module")
def rollout(shared_controller: ControllerProcess, on_hub: Objects) -> Iterator[Span]:
    """The first fan-out of a ClusterSync to many namespaces that are there already."""
    source = secret(TAG, NAME, {"word": "one"})
    on_hub.create(namespace(TAG), source)
    on_hub.create(*(namespace(f"{TAG}-{number}", team=TAG) for number in range(WIDTH)))
    begun = begin(on_hub)
    on_hub.create(clustersync(TAG, source, {"team": TAG}))
    eventually(lambda: on_hub.condition(TAG, "Ready").get("status") == "True", seconds=40, describe=shared_controller.tail)
    yield begun.ended()
    on_hub.delete(clustersync(TAG, source, {"team": TAG}))
    eventually(lambda: on_hub.get("ClusterSync", TAG) is None, seconds=40, describe=shared_controller.tail)


def test_a_fan_out_to_300_namespaces_is_300_creations(rollout: Span, on_hub: Objects) -> None:
    assert rollout.replicas() == {"create": WIDTH}
    assert words(on_hub) == {encoded("one"): WIDTH}
    assert rollout.statuses() <= rollout.seconds + 2


def test_a_rotation_in_300_namespaces_is_300_updates_without_a_read(rollout: Span, controller: ControllerProcess, on_hub: Objects) -> None:
    begun = begin(on_hub)
    on_hub.replace(secret(TAG, NAME, {"word": "two"}))
    eventually(lambda: words(on_hub) == {encoded("two"): WIDTH}, seconds=40, describe=controller.tail)
    eventually(lambda: on_hub.status(TAG)["summary"] == f"{WIDTH}/{WIDTH}", describe=controller.tail)
    span = begun.ended()
    assert span.replicas() == {"update": WIDTH}
    assert span.statuses() <= span.seconds + 2
    assert span.told <= 1
    assert on_hub.condition(TAG, "Ready")["status"] == "True"


def test_a_rotation_back_and_forth_before_it_is_seen_ends_in_the_last_word(
    rollout: Span, controller: ControllerProcess, on_hub: Objects
) -> None:
    begun = begin(on_hub)
    for word in ("three", "four", "five"):
        on_hub.replace(secret(TAG, NAME, {"word": word}))
    eventually(lambda: words(on_hub) == {encoded("five"): WIDTH}, seconds=40, describe=controller.tail)
    counted = begun.ended().replicas()
    assert counted.keys() == {"update"}
    assert WIDTH <= counted["update"] <= 3 * WIDTH


def test_one_edited_replica_among_300_costs_one_update(rollout: Span, controller: ControllerProcess, on_hub: Objects) -> None:
    eventually(lambda: len(words(on_hub)) == 1, describe=controller.tail)
    before, begun = words(on_hub), begin(on_hub)
    on_hub.patch(secret(f"{TAG}-7", NAME, {}), data={"word": encoded("edited")})
    eventually(lambda: words(on_hub) == before, describe=controller.tail)
    assert begun.ended().replicas() == {"update": 1}


def test_a_new_namespace_beside_300_costs_one_creation(rollout: Span, controller: ControllerProcess, on_hub: Objects) -> None:
    begun = begin(on_hub)
    on_hub.create(namespace(f"{TAG}-new", team=TAG))
    eventually(lambda: on_hub.data("Secret", f"{TAG}-new", NAME), describe=controller.tail)
    on_hub.patch(namespace(f"{TAG}-new"), metadata={"labels": {"team": None}})
    eventually(lambda: on_hub.data("Secret", f"{TAG}-new", NAME) is None, describe=controller.tail)
    assert begun.ended().replicas() == {"create": 1, "delete": 1}
