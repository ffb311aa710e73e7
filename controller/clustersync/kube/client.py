"""The one door to an API server: paths, timeouts, statuses turned into errors. It never retries; whoever asked decides.

Bodies go in and come out as bytes; no error carries any of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import msgspec

from clustersync.core.errors import ApiError, NotLeading, Throttled, Unreachable, from_status
from clustersync.kube.transport import Request, Response, Transport

REQUEST_SECONDS = 30
"""For one unary request: half of the API server's own limit, so that a hanging webhook (at most 30 s) is told apart from a dead server."""

ANSWER_BYTES = 64 << 20
"""The largest unary answer read: a page of 500 objects; a hostile server cannot fill the memory."""

LINE_BYTES = 8 << 20
"""The longest watch event read: etcd holds 1.5 MiB at most, the API server takes requests up to 3 MiB."""

JSON = "application/json"
PARTIAL_OBJECT = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
MERGE_PATCH = "application/merge-patch+json"

FIELD_MANAGER = "clustersync"

WRITE_QUERY = f"?fieldManager={FIELD_MANAGER}&fieldValidation=Ignore"
"""Our bodies are generated: strict decoding would only cost the server a second pass."""


class _Status(msgspec.Struct):
    kind: str = ""
    message: str = ""
    reason: str = ""


_STATUS = msgspec.json.Decoder(_Status)


class Client:
    """Requests to one API server. Every method raises `ApiError`s."""

    def __init__(
        self,
        transport: Transport,
        *,
        may_write: Callable[[], bool] = lambda: True,
        on_write: Callable[[str, int], None] = lambda method, status: None,
    ) -> None:
        """`may_write` is the fence, asked before every write; `on_write` hears its method and status, 0 for no answer."""
        self._transport = transport
        self._may_write = may_write
        self._on_write = on_write

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, seconds: float | None = None) -> bytes:
        """Return the encoded object or list at `path`."""
        return await self._call(Request("GET", _path(path, query), headers={"Accept": JSON}), seconds)

    async def create(self, path: str, body: bytes) -> bytes:
        """POST `body` to a collection; returns the metadata of what was stored."""
        return await self._call(Request("POST", path + WRITE_QUERY, body, {"Accept": PARTIAL_OBJECT}))

    async def replace(self, path: str, body: bytes) -> bytes:
        """PUT `body`, which names uid and resourceVersion as preconditions; returns the metadata of what was stored."""
        return await self._call(Request("PUT", path + WRITE_QUERY, body, {"Accept": PARTIAL_OBJECT}))

    async def patch(self, path: str, body: bytes, *, seconds: float | None = None) -> bytes:
        """Apply a JSON merge patch; returns the metadata of what was stored."""
        headers = {"Accept": PARTIAL_OBJECT, "Content-Type": MERGE_PATCH}
        return await self._call(Request("PATCH", path + WRITE_QUERY, body, headers), seconds)

    async def delete(self, path: str, *, uid: str, resource_version: int) -> bytes:
        """DELETE under preconditions; returns a Status when the object is gone, its metadata when a finalizer holds it."""
        body = msgspec.json.encode({"preconditions": {"uid": uid, "resourceVersion": str(resource_version)}})
        return await self._call(Request("DELETE", path, body, {"Accept": PARTIAL_OBJECT}))

    async def post(self, path: str, body: bytes, *, seconds: float | None = None) -> bytes:
        """POST an object of any kind; returns it as stored."""
        return await self._call(Request("POST", path, body, {"Accept": JSON}), seconds)

    async def put(self, path: str, body: bytes, *, seconds: float | None = None) -> bytes:
        """PUT an object of any kind; returns it as stored."""
        return await self._call(Request("PUT", path, body, {"Accept": JSON}), seconds)

    @asynccontextmanager
    async def watch(self, path: str, query: Mapping[str, str], *, accept: str, silence_seconds: float) -> AsyncIterator[EventBatches]:
        """Open a watch; the block gets its events in batches. Silence beyond `silence_seconds` is `Unreachable`."""
        request = Request("GET", _path(path, query), headers={"Accept": accept})
        try:
            async with asyncio.timeout(REQUEST_SECONDS) as deadline, self._transport.send(request) as response:
                if response.status != 200:
                    await _raise_for_status(response)
                deadline.reschedule(_in(silence_seconds))
                yield _batches(response, deadline, silence_seconds)
        except TimeoutError as error:
            raise Unreachable(f"the watch brought nothing for {silence_seconds:.0f} s") from error

    async def close(self) -> None:
        """Give up all connections."""
        await self._transport.close()

    async def _call(self, request: Request, seconds: float | None = None) -> bytes:
        if request.method == "GET":
            return await self._exchange(request, seconds or REQUEST_SECONDS)
        if not self._may_write():
            raise NotLeading("this process does not hold the lease")
        try:
            answer = await self._exchange(request, seconds or REQUEST_SECONDS)
        except ApiError as error:
            self._on_write(request.method, error.status)
            raise
        self._on_write(request.method, 200)
        return answer

    async def _exchange(self, request: Request, seconds: float) -> bytes:
        try:
            async with asyncio.timeout(seconds), self._transport.send(request) as response:
                if response.status >= 300:
                    await _raise_for_status(response)
                return await _read(response)
        except TimeoutError as error:
            raise Unreachable(f"no answer within {seconds:.0f} s", reason="Timeout") from error


EventBatches = AsyncGenerator[list[bytes], None]


async def _batches(response: Response, deadline: asyncio.Timeout, silence_seconds: float) -> EventBatches:
    """Split the stream into lines, as many at once as have arrived; an event cut off by the end of the stream is dropped."""
    parts: list[bytes] = []
    size = 0
    async for chunk in response.chunks():
        deadline.reschedule(_in(silence_seconds))
        first, *rest = chunk.split(b"\n")
        parts.append(first)
        size += len(first)
        if size > LINE_BYTES:
            raise Unreachable(f"a watch event is larger than {LINE_BYTES >> 20} MiB")
        if rest:
            yield [line for line in (b"".join(parts), *rest[:-1]) if line]
            parts, size = [rest[-1]], len(rest[-1])


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def _path(path: str, query: Mapping[str, str] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


async def _read(response: Response, limit: int = ANSWER_BYTES) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.chunks():
        size += len(chunk)
        if size > limit:
            raise Unreachable(f"the answer is larger than {limit >> 20} MiB")
        parts.append(chunk)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _raise_for_status(response: Response) -> None:
    """Raise the error for an answer that is no success, with the server's own message if it is a Kubernetes `Status`."""
    status = response.status
    if status < 400:
        raise Unreachable(f"HTTP {status}: the server redirects, which is not followed", status=status)
    try:
        told = _STATUS.decode(await _read(response, limit=1 << 20))
    except (msgspec.DecodeError, Unreachable, UnicodeDecodeError, RecursionError):
        told = _Status()
    if told.kind != "Status":
        if status == 429:
            raise Throttled("HTTP 429", status=429, retry_after_seconds=_retry_after(response))
        raise Unreachable(f"HTTP {status}, and not from a Kubernetes API server", status=status)
    raise from_status(status, told.reason, told.message, _retry_after(response))


def _retry_after(response: Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None
