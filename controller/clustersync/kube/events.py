"""Events for people: said at once the first time, then gathered, so that no object gets more than one of a kind a minute.

Saying something never waits and never fails: what cannot be posted after a few tries is dropped.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from clustersync.core.errors import ApiError, clean
from clustersync.kube.client import Client
from clustersync.runtime.backoff import Backoff
from clustersync.runtime.workqueue import WorkQueue

COMPONENT = "clustersync"

GATHER_SECONDS = 60.0
"""At most one event per object, reason and minute (design, section 5)."""

REMEMBERED = 4096
"""Objects and reasons at most, as client-go's cache of events (tools/record/events_cache.go, maxLruCacheEntries)."""

MESSAGE_CHARACTERS = 1024
"""The longest note of the events API (pkg/apis/core/validation/events.go, noteLengthLimit)."""

EXAMPLES = 3
"""Different messages that one event quotes; as many of them fit, with their count, into a message."""

EXAMPLE_CHARACTERS = 320

POST_SECONDS = 10.0
"""For one request; other events wait behind it."""

TRIES = 3
"""After about 10 s an event that cannot be posted is old news."""

BACKOFF = Backoff(initial=2.0, maximum=8.0)

NAME_CHARACTERS = 253
"""Of a DNS subdomain (RFC 1123)."""


@dataclass(frozen=True, slots=True)
class InvolvedObject:
    """What an event is about; a cluster-scoped object has no namespace."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Occurrences:
    """What happened and was not posted yet: how often, from when to when, and different messages about it."""

    count: int
    first: datetime
    last: datetime
    messages: tuple[str, ...]
    warning: bool

    def __add__(self, later: Occurrences) -> Occurrences:
        messages = tuple(dict.fromkeys(self.messages + later.messages))[:EXAMPLES]
        return Occurrences(self.count + later.count, self.first, later.last, messages, later.warning)

    @property
    def message(self) -> str:
        """The one message, or the first different ones with the number of all."""
        if len(self.messages) == 1:
            return self.messages[0]
        examples = "; ".join(clean(message, EXAMPLE_CHARACTERS) for message in self.messages)
        return clean(f"{self.count} times, such as: {examples}", MESSAGE_CHARACTERS)


class Key(NamedTuple):
    """Of what there is at most one event at a time."""

    object: str
    reason: str


@dataclass(slots=True)
class Entry:
    """An object and a reason: the event that the API server holds about it, and what is still to be said."""

    key: Key
    about: InvolvedObject
    waiting: Occurrences | None = None
    due_at: float = 0.0
    tries: int = 0
    event: str = ""
    count: int = 0


class Backlog:
    """What is known of recent events, bounded: at most `capacity` objects and reasons. Times are the loop's."""

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Key, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Entry | None:
        """Return the entry, if it is remembered."""
        return self._entries.get(key)

    def add(self, about: InvolvedObject, reason: str, occurrence: Occurrences, now: float) -> Entry | None:
        """Take in an occurrence and return its entry; None when there is no room for another."""
        key = Key(about.uid or f"{about.kind} {about.namespace}/{about.name}", reason)
        if key not in self._entries and not self._has_room(now):
            return None
        entry = self._entries.setdefault(key, Entry(key, about))
        self._entries.move_to_end(key)
        entry.waiting = entry.waiting + occurrence if entry.waiting else occurrence
        return entry

    def _has_room(self, now: float) -> bool:
        """Forget what was quiet for longest, if it is full; an entry that waits or is within its minute stays."""
        if len(self._entries) < self._capacity:
            return True
        key, oldest = next(iter(self._entries.items()))
        if oldest.waiting or now < oldest.due_at:
            return False
        del self._entries[key]
        return True


class EventRecorder:
    """Takes events at any time and posts them while `run` runs and `may_write` allows it."""

    def __init__(
        self,
        client: Client,
        instance: str,
        *,
        may_write: Callable[[], bool],
        random: Random,
        wall_clock: Callable[[], datetime],
        gather_seconds: float = GATHER_SECONDS,
    ) -> None:
        self._client = client
        self._instance = instance
        self._may_write = may_write
        self._random = random
        self._wall_clock = wall_clock
        self._gather_seconds = gather_seconds
        self._log: FilteringBoundLogger = structlog.get_logger()
        self._backlog = Backlog()
        self._queue: WorkQueue[Key] = WorkQueue(BACKOFF, random)

    def record(self, about: InvolvedObject, reason: str, message: str, *, warning: bool) -> None:
        """Say that it happened. Beyond 4,096 objects and reasons within a minute, new ones are dropped."""
        moment, now = self._wall_clock(), _now()
        occurrence = Occurrences(1, moment, moment, (clean(message, MESSAGE_CHARACTERS),), warning)
        entry = self._backlog.add(about, reason, occurrence, now)
        if entry is None:
            self._log.debug("event dropped", about=about.name, reason=reason, cause="too many")
        else:
            self._queue.add_after(entry.key, entry.due_at - now)

    async def run(self) -> None:
        """Post until cancelled."""
        while True:
            key = await self._queue.get()
            with self._queue.working(key):
                if entry := self._backlog.get(key):
                    await self._post(entry)

    async def _post(self, entry: Entry) -> None:
        news, entry.waiting = entry.waiting, None
        if news is None or not self._may_write():
            return self._forget_failures(entry)
        entry.due_at = _now() + self._gather_seconds  # before the request: what happens meanwhile is for the next
        try:
            await self._update_or_create(entry, news)
        except ApiError as error:
            self._retry_or_drop(entry, news, error)
        else:
            self._forget_failures(entry)

    def _retry_or_drop(self, entry: Entry, news: Occurrences, error: ApiError) -> None:
        entry.tries += 1
        if entry.tries < TRIES:
            entry.waiting = news + entry.waiting if entry.waiting else news
            entry.due_at = _now() + self._queue.requeue_failed(entry.key)
            return
        self._forget_failures(entry)
        self._log.debug("event dropped", about=entry.about.name, reason=entry.key.reason, cause=error.reason)

    def _forget_failures(self, entry: Entry) -> None:
        entry.tries = 0
        self._queue.forget(entry.key)

    async def _update_or_create(self, entry: Entry, news: Occurrences) -> None:
        namespace = entry.about.namespace or "default"  # where events of cluster-scoped objects lie
        collection = f"/api/v1/namespaces/{namespace}/events"
        if entry.event:
            try:
                await self._send_update(f"{collection}/{entry.event}", entry, news)
            except ApiError:
                entry.event = ""  # expired after an hour, or deleted: begin another
            else:
                entry.count += news.count
                return
        if not self._may_write():
            return
        name = event_name(entry.about.name, self._random)
        body = new_event(name, entry.about, entry.key.reason, news, self._instance)
        await self._client.post(collection, msgspec.json.encode(body), seconds=POST_SECONDS)
        entry.event, entry.count = name, news.count

    async def _send_update(self, path: str, entry: Entry, news: Occurrences) -> None:
        change = _said(news) | {"count": entry.count + news.count}
        await self._client.patch(path, msgspec.json.encode(change), seconds=POST_SECONDS)


def event_name(about: str, random: Random) -> str:
    """Return a name for an event about the object of that name, as client-go makes them, and not longer than a name may be."""
    suffix = f".{random.getrandbits(64):016x}"
    return about[: NAME_CHARACTERS - len(suffix)].rstrip(".-") + suffix


def new_event(name: str, about: InvolvedObject, reason: str, news: Occurrences, instance: str) -> dict[str, Any]:
    """Return the Event to post."""
    return _said(news) | {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": about.namespace or "default"},
        "involvedObject": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "name": about.name,
            "namespace": about.namespace,
            "uid": about.uid,
        },
        "reason": reason,
        "count": news.count,
        "firstTimestamp": _rfc3339(news.first),
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance,
    }


def _said(news: Occurrences) -> dict[str, Any]:
    """What an update says anew."""
    return {"type": "Warning" if news.warning else "Normal", "message": news.message, "lastTimestamp": _rfc3339(news.last)}


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _now() -> float:
    return asyncio.get_running_loop().time()
