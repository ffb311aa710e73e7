import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import msgspec

from clustersync.kube.client import Client
from clustersync.kube.events import EventRecorder, InvolvedObject
from clustersync.runtime.tasks import running

GATHER_SECONDS = 1.5
POLL_SECONDS = 0.02
NOON = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)


def sync(name: str) -> InvolvedObject:
    return InvolvedObject("clustersync.io/v1alpha1", "ClusterSync", name, uid=f"uid-of-{name}")


@asynccontextmanager
async def recorder_on(client: Client, may_write: Callable[[], bool] = lambda: True) -> AsyncIterator[EventRecorder]:
    minutes = count()
    recorder = EventRecorder(
        client,
        "clustersync-0",
        may_write=may_write,
        random=Random(),
        wall_clock=lambda: NOON + timedelta(minutes=next(minutes)),
        gather_seconds=GATHER_SECONDS,
    )
    async with asyncio.timeout(30), running(("events", recorder.run())):
        yield recorder


async def events_about(client: Client, name: str) -> list[dict[str, Any]]:
    answer = await client.get("/api/v1/events", {"fieldSelector": f"involvedObject.name={name}"})
    items: list[dict[str, Any]] = msgspec.json.decode(answer)["items"]
    return items


async def events_when(client: Client, name: str, satisfied: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    while True:
        events = await events_about(client, name)
        if satisfied(events):
            return events
        await asyncio.sleep(POLL_SECONDS)


async def test_the_first_event_is_posted_at_once_and_reads_as_any_other(hub_client: Client) -> None:
    async with recorder_on(hub_client) as recorder:
        recorder.record(sync("first"), "SourceNotFound", "Secret a/b does\nnot exist", warning=True)
        async with asyncio.timeout(GATHER_SECONDS):
            (event,) = await events_when(hub_client, "first", bool)
    assert event["involvedObject"] == {
        "apiVersion": "clustersync.io/v1alpha1",
        "kind": "ClusterSync",
        "name": "first",
        "uid": "uid-of-first",
    }
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "SourceNotFound", "Secret a/b does not exist")
    assert event["count"] == 1
    assert (event["firstTimestamp"], event["lastTimestamp"]) == ("2026-05-20T12:00:00Z", "2026-05-20T12:00:00Z")
    assert event["source"] == {"component": "clustersync"}
    assert (event["reportingComponent"], event["reportingInstance"]) == ("clustersync", "clustersync-0")


async def test_repeats_are_gathered_into_one_update_of_the_same_event(hub_client: Client) -> None:
    async with recorder_on(hub_client) as recorder:
        recorder.record(sync("gathered"), "Conflict", "a is taken", warning=True)
        (first,) = await events_when(hub_client, "gathered", bool)
        for name in "bcde":
            recorder.record(sync("gathered"), "Conflict", f"{name} is taken", warning=True)
        (second,) = await events_when(hub_client, "gathered", lambda events: events[0]["count"] > 1)
    assert second["metadata"]["name"] == first["metadata"]["name"]
    assert second["count"] == 5
    assert second["message"] == "4 times, such as: b is taken; c is taken; d is taken"
    assert (second["firstTimestamp"], second["lastTimestamp"]) == ("2026-05-20T12:00:00Z", "2026-05-20T12:04:00Z")


async def test_a_flood_is_one_write_for_each_period(hub_client: Client) -> None:
    async with recorder_on(hub_client) as recorder:
        loop = asyncio.get_running_loop()
        started, recorded, versions = loop.time(), 0, set[str]()
        while loop.time() - started < 2.5 * GATHER_SECONDS:
            recorder.record(sync("flood"), "DriftRepaired", "a label came off", warning=False)
            recorded += 1
            versions |= {event["metadata"]["resourceVersion"] for event in await events_about(hub_client, "flood")}
        assert len(versions) <= 3
        (event,) = await events_when(hub_client, "flood", lambda events: events[0]["count"] == recorded)
    assert event["message"] == "a label came off"


async def test_another_reason_and_another_object_are_not_held_up(hub_client: Client) -> None:
    async with recorder_on(hub_client) as recorder, asyncio.timeout(GATHER_SECONDS):
        recorder.record(sync("one"), "Conflict", "taken", warning=True)
        recorder.record(sync("one"), "Synced", "all in sync", warning=False)
        recorder.record(sync("two"), "Conflict", "taken", warning=True)
        events = await events_when(hub_client, "one", lambda events: len(events) == 2)
        await events_when(hub_client, "two", bool)
    assert {(event["reason"], event["type"]) for event in events} == {("Conflict", "Warning"), ("Synced", "Normal")}


async def test_an_event_that_has_expired_is_followed_by_a_new_one(hub_client: Client) -> None:
    async with recorder_on(hub_client) as recorder:
        recorder.record(sync("expired"), "Conflict", "a is taken", warning=True)
        (first,) = await events_when(hub_client, "expired", bool)
        meta = first["metadata"]
        await hub_client.delete(
            f"/api/v1/namespaces/default/events/{meta['name']}", uid=meta["uid"], resource_version=int(meta["resourceVersion"])
        )
        recorder.record(sync("expired"), "Conflict", "b is taken", warning=True)
        (second,) = await events_when(hub_client, "expired", bool)
    assert second["metadata"]["name"] != meta["name"]
    assert (second["count"], second["message"]) == (1, "b is taken")


async def test_the_event_of_a_namespaced_object_lies_in_its_namespace(hub_client: Client) -> None:
    secret = InvolvedObject("v1", "Secret", "registry", "kube-public", "uid-of-registry")
    async with recorder_on(hub_client) as recorder:
        recorder.record(secret, "Conflict", "not ours", warning=True)
        (event,) = await events_when(hub_client, "registry", bool)
    assert (event["metadata"]["namespace"], event["involvedObject"]["namespace"]) == ("kube-public", "kube-public")


class Gate:
    def __init__(self) -> None:
        self.open = False
        self.asked = asyncio.Event()

    def __call__(self) -> bool:
        self.asked.set()
        return self.open


async def test_a_standby_posts_nothing_and_does_not_catch_up(hub_client: Client) -> None:
    leading = Gate()
    async with recorder_on(hub_client, leading) as recorder:
        recorder.record(sync("standby"), "Conflict", "said by a standby", warning=True)
        await leading.asked.wait()
        leading.open = True
        recorder.record(sync("standby"), "Conflict", "said by the leader", warning=True)
        (event,) = await events_when(hub_client, "standby", bool)
    assert (event["count"], event["message"]) == (1, "said by the leader")


async def test_a_leader_that_lost_its_lease_updates_nothing(hub_client: Client) -> None:
    leading = Gate()
    leading.open = True
    async with recorder_on(hub_client, leading) as recorder:
        recorder.record(sync("lost"), "Conflict", "said by the leader", warning=True)
        await events_when(hub_client, "lost", bool)
        leading.open = False
        leading.asked.clear()
        recorder.record(sync("lost"), "Conflict", "said without the lease", warning=True)
        await leading.asked.wait()
        leading.open = True
        recorder.record(sync("lost"), "Conflict", "said by the leader again", warning=True)
        (event,) = await events_when(hub_client, "lost", lambda events: "again" in events[0]["message"])
    assert event["count"] == 2


async def test_what_the_server_refuses_is_dropped_and_holds_nothing_up(hub_client: Client) -> None:
    nowhere = InvolvedObject("v1", "Secret", "lost", "no-such-namespace", "uid-of-lost")
    async with recorder_on(hub_client) as recorder, asyncio.timeout(GATHER_SECONDS):
        recorder.record(nowhere, "Conflict", "taken", warning=True)
        recorder.record(sync("after-it"), "Conflict", "taken", warning=True)
        assert await events_when(hub_client, "after-it", bool)
