"""The bare writer: the same requests as the controller, with the same marks, and no logic. Nothing in Python writes faster."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import orjson

from tests.bench.rawapi import WRITE_QUERY, RawApi

HUB_ID = "00000000-0000-4000-8000-000000000000"
"""As long as a real one, and another hub's: the controller neither watches nor touches what carries it."""

NAME = "bare"


class BareWriter:
    """Keeps one object in each of some namespaces."""

    def __init__(self, api: RawApi, source: str) -> None:
        """`source` is the mark of a source, as a replica of it carries it."""
        self._api = api
        self._source = source
        self._stored: dict[str, dict[str, Any]] = {}

    async def create(self, namespaces: Iterable[str], data: dict[str, str], concurrency: int) -> float:
        """POST all; return the seconds it took."""
        return await timed(self.fill, [(namespace, data) for namespace in namespaces], concurrency)

    async def rotate(self, data: dict[str, str], concurrency: int) -> float:
        """PUT all with uid and resourceVersion; return the seconds it took."""
        return await timed(self._replace, [(namespace, data) for namespace in self._stored], concurrency)

    async def remove(self, concurrency: int) -> float:
        """DELETE all with uid and resourceVersion; return the seconds it took."""
        return await timed(self._delete, [(namespace,) for namespace in list(self._stored)], concurrency)

    async def restore(self, namespace: str, stored: dict[str, Any], data: dict[str, str]) -> None:
        """PUT one object over the revision with this metadata."""
        self._stored[namespace] = stored
        await self._replace(namespace, data)

    def version(self, namespace: str) -> str:
        """Return the resourceVersion of the last own write."""
        return str(self._stored.get(namespace, {}).get("resourceVersion"))

    async def fill(self, namespace: str, data: dict[str, str]) -> None:
        """POST one object."""
        path = f"{_collection(namespace)}{WRITE_QUERY}"
        self._stored[namespace] = await self._api.metadata("POST", path, self._body(namespace, data, {}))

    async def _replace(self, namespace: str, data: dict[str, str]) -> None:
        path = f"{_collection(namespace)}/{NAME}{WRITE_QUERY}"
        body = self._body(namespace, data, _preconditions(self._stored[namespace]))
        self._stored[namespace] = await self._api.metadata("PUT", path, body)

    async def _delete(self, namespace: str) -> None:
        body = orjson.dumps({"preconditions": _preconditions(self._stored.pop(namespace))})
        await self._api.send("DELETE", f"{_collection(namespace)}/{NAME}", body)

    def _body(self, namespace: str, data: dict[str, str], preconditions: dict[str, str]) -> bytes:
        labels = {"app.kubernetes.io/managed-by": "clustersync", "clustersync.io/hub": HUB_ID, "clustersync.io/sync": NAME}
        annotations = {"clustersync.io/source": self._source, "clustersync.io/target": f"{namespace}/{NAME}"}
        metadata = {"name": NAME, "namespace": namespace, "labels": labels, "annotations": annotations} | preconditions
        return orjson.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data})


def _collection(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets"


def _preconditions(stored: dict[str, Any]) -> dict[str, str]:
    return {"uid": stored["uid"], "resourceVersion": stored["resourceVersion"]}


async def timed(work: Callable[..., Awaitable[None]], jobs: Sequence[tuple[Any, ...]], concurrency: int) -> float:
    """Do all jobs, so many at a time; return the seconds it took."""
    remaining = iter(jobs)

    async def worker() -> None:
        for job in remaining:
            await work(*job)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(concurrency):
            tasks.create_task(worker())
    return time.perf_counter() - started
