"""An informer: lists once, then watches, and keeps a store true to one resource of one API server, whatever happens on the way.

The rules are client-go's reflector's (tools/cache/reflector.go), with deletions missed during an outage seen by comparing the
new list with the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from clustersync.core.errors import ApiError, Gone, Invalid, Transient, from_status
from clustersync.kube.client import JSON, PARTIAL_OBJECT, Client
from clustersync.kube.health import Health
from clustersync.kube.wire import Event, ObjectMeta, decode_event, decode_page, decode_partial
from clustersync.runtime.backoff import Backoff, Retry


class BrokenStream(Transient):
    """The server answers, and what it then sends is of no use. An answer alone does not make up for it; an event does."""


class Versioned(Protocol):
    """Anything with the resourceVersion of its revision."""

    @property
    def resource_version(self) -> int: ...


K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Versioned)
V_contra = TypeVar("V_contra", bound=Versioned, contravariant=True)
K_contra = TypeVar("K_contra", bound=Hashable, contravariant=True)
D = TypeVar("D")
R = TypeVar("R")

PAGE_SIZE = 500
"""client-go's default (tools/pager/pager.go)."""

WATCH_SECONDS = (300, 600)
"""The server ends a watch after a random time within these, so that reconnects spread."""

SILENCE_SECONDS = 70.0
"""Bookmarks come every minute; the watch cache keeps events for about 75 s, so reconnecting before spares a relist."""

RELIST_SECONDS = 36_000.0
"""Everything is listed anew and verified every 10 hours, jittered (design, section 4)."""

BACKOFF = Backoff(initial=0.8, maximum=30.0)
"""client-go's reflector backoff."""

SHORT_WATCH_SECONDS = 1.0
"""A watch that ends sooner and without an event is a failure, or a broken proxy would be asked hundreds of times a second."""

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class Resource:
    """What to watch: a collection's path, narrowed by selectors. `metadata_only` asks for PartialObjectMetadata."""

    path: str
    label_selector: str = ""
    field_selector: str = ""
    metadata_only: bool = False

    @property
    def query(self) -> dict[str, str]:
        """The selectors as query parameters."""
        selectors = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {name: selector for name, selector in selectors.items() if selector}


class Sink(Protocol[K_contra, V_contra]):
    """What an informer fills. Versions are resourceVersions of the watched collection."""

    def replace(self, items: Mapping[Any, V_contra], version: int) -> None:
        """Take in the whole state as of `version`: what is not in it and not newer is gone."""
        ...

    def upsert(self, key: K_contra, value: V_contra) -> None:
        """Take in one object."""
        ...

    def delete(self, key: K_contra, version: int) -> None:
        """Take in that an object went, or no longer matches, as of `version`."""
        ...


class Informer(Generic[K, V]):
    """Keeps a sink true to a resource until cancelled."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        decode: Callable[[msgspec.Raw], tuple[K, V]],
        sink: Sink[K, V],
        *,
        health: Health,
        random: Random,
        on_restart: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._client = client
        self._resource = resource
        self._decode = decode
        self._sink = sink
        self._health = health
        self._random = random
        self._on_restart = on_restart
        self._version: str | None = None
        self._initial: dict[K, V] | None = None
        self._streams_lists = True
        self._events = 0
        self._relist_at = 0.0
        self._synced = asyncio.Event()
        self.last_heard = 0.0

    @property
    def name(self) -> str:
        """Which collection this is, as speaker and in logs."""
        return "?".join(filter(None, (self._resource.path, self._resource.field_selector)))

    @property
    def _stream(self) -> str:
        """As whom it speaks of what comes after an answer: an answer proves less than an event does."""
        return f"{self.name} stream"

    @property
    def synced(self) -> bool:
        """Whether the sink has held the whole state once."""
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        """Wait until the sink has held the whole state once."""
        await self._synced.wait()

    async def run(self) -> None:
        """Watch until cancelled; every failure is retried with backoff."""
        retry, relist = Retry(BACKOFF, self._random), Retry(BACKOFF, self._random)
        while True:
            try:
                await self._session()
                retry.reset()
            except Gone as error:  # counted on its own: it comes after an outage, whose failures must not delay the list
                self._version = None
                await self._recover("gone", error, relist)
            except ApiError as error:
                self._health.failed(self._stream if isinstance(error, BrokenStream) else self.name, error)
                await self._recover(error.reason, error, retry)

    async def _recover(self, reason: str, error: ApiError, retry: Retry) -> None:
        self._on_restart(reason)
        delay = retry.failed(asyncio.get_running_loop().time())
        if error.retry_after_seconds is not None:
            delay = max(delay, error.retry_after_seconds)
        await self._health.pause(delay)

    async def _session(self) -> None:
        """One watch from connect to its end, after a paged list where lists are not streamed."""
        now = asyncio.get_running_loop().time()
        if self._version is not None and now >= self._relist_at:
            self._version = None
        if self._version is None:
            self._relist_at = now + RELIST_SECONDS * self._random.uniform(0.8, 1.2)
        if self._version is None and not self._streams_lists:
            await self._list_pages()
        try:
            await self._watch()
        except Invalid:
            if self._version is not None or not self._streams_lists:
                raise
            self._streams_lists = False

    async def _watch(self) -> None:
        started, self._events = asyncio.get_running_loop().time(), 0
        self._initial = {} if self._version is None else None
        accept = PARTIAL_OBJECT if self._resource.metadata_only else JSON
        async with self._client.watch(self._resource.path, self._watch_query(), accept=accept, silence_seconds=SILENCE_SECONDS) as batches:
            self._health.succeeded(self.name)
            async with aclosing(batches):
                async for batch in batches:
                    self._take(batch)
        if self._initial is not None:
            raise BrokenStream("the initial list broke off")
        if not self._events and asyncio.get_running_loop().time() - started < SHORT_WATCH_SECONDS:
            raise BrokenStream("the watch ended at once")

    def _watch_query(self) -> dict[str, str]:
        query = self._resource.query | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(self._random.randint(*WATCH_SECONDS)),
        }
        if self._version is None:
            return query | {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        return query | {"resourceVersion": self._version}

    def _take(self, batch: list[bytes]) -> None:
        self.last_heard = asyncio.get_running_loop().time()
        for line in batch:
            event = decode(decode_event, line)
            match event.type:
                case "ADDED" | "MODIFIED" | "DELETED":
                    self._take_object(event)
                case "BOOKMARK":
                    self._take_bookmark(decode(decode_partial, event.object).metadata)
                case "ERROR":
                    raise stream_error(event.object)
            self._events += 1

    def _take_object(self, event: Event) -> None:
        key, value = decode(self._decode, event.object)
        deleted = event.type == "DELETED"
        if self._initial is not None:
            # The events before the end of the list are the list: their versions say nothing about how far the watch is.
            if deleted:
                self._initial.pop(key, None)
            else:
                self._initial[key] = value
            return
        self._version = str(value.resource_version)
        self._health.succeeded(self._stream)
        if deleted:
            self._sink.delete(key, value.resource_version)
        else:
            self._sink.upsert(key, value)

    def _take_bookmark(self, meta: ObjectMeta) -> None:
        if self._initial is not None:
            if (meta.annotations or {}).get(INITIAL_EVENTS_END) != "true":
                return
            self._finish_list(self._initial, meta.resource_version)
        self._version = meta.resource_version
        self._health.succeeded(self._stream)

    def _finish_list(self, items: Mapping[K, V], version: str) -> None:
        self._initial = None
        self._version = version
        self._sink.replace(items, decode(int, version))
        self._synced.set()

    async def _list_pages(self) -> None:
        """List in pages; a `continue` token that expired on the way raises Gone, and the list starts over."""
        items: dict[K, V] = {}
        query = self._resource.query | {"limit": str(PAGE_SIZE)}
        while True:
            page = decode(decode_page, await self._client.get(self._resource.path, query))
            self._health.succeeded(self.name)
            items.update(decode(self._decode, raw) for raw in page.items or ())
            if not page.metadata.continue_:
                return self._finish_list(items, page.metadata.resource_version)
            query["continue"] = page.metadata.continue_
            await asyncio.sleep(0)


def decode(decoder: Callable[[D], R], raw: D) -> R:
    """Decode something a server sent; what cannot be decoded did not come from an API server that works."""
    try:
        return decoder(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        raise BrokenStream("the server sent something that is not a Kubernetes object") from None


class _Status(msgspec.Struct):
    code: int = 500
    reason: str = ""
    message: str = ""


_decode_status = msgspec.json.Decoder(_Status).decode


def stream_error(raw: msgspec.Raw) -> ApiError:
    """Return the error that an ERROR event tells of."""
    status = decode(_decode_status, raw)
    return from_status(status.code, status.reason, status.message)
