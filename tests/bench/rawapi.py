"""Bare HTTP to one API server: a tuned aiohttp session and nothing above it. The limit that the controller is compared with."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import orjson
from yarl import URL

from clustersync.kube.credentials import member_connection
from clustersync.kube.kubeconfig import parse_kubeconfig

JSON = "application/json"
PARTIAL_OBJECT = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
WRITE_QUERY = "?fieldManager=bench&fieldValidation=Ignore"
READ_BUFFER_BYTES = 1 << 21  # a line of a watch may be twice as long


class Refused(Exception):
    """The API server answered with an error; the bench cannot go on."""


@dataclass(frozen=True, slots=True)
class Event:
    """A watch event, as far as its metadata tells."""

    type: str
    namespace: str
    name: str
    resource_version: int
    metadata: dict[str, Any]


class RawApi:
    """One identity at one API server; to be used in an `async with` statement."""

    def __init__(self, kubeconfig: str) -> None:
        """Takes the text of a kubeconfig with everything embedded."""
        connection = member_connection(parse_kubeconfig(kubeconfig.encode(), allow_loopback=True), guarded=False)
        self._base = connection.server
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=connection.tls, keepalive_timeout=75),
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=READ_BUFFER_BYTES,
            headers={"Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    async def send(
        self, method: str, path: str, body: bytes | None = None, *, accept: str = PARTIAL_OBJECT, content_type: str = JSON
    ) -> bytes:
        """Send one request and return the answer; raises Refused."""
        url, headers = URL(self._base + path, encoded=True), {"Accept": accept, "Content-Type": content_type}
        async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
            answer = await response.read()
            if response.status >= 300:
                raise Refused(f"{method} {path}: HTTP {response.status}: {orjson.loads(answer).get('message')}")
            return answer

    async def metadata(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """Send one request and return the metadata of what is stored now."""
        answer: dict[str, Any] = orjson.loads(await self.send(method, path, body))["metadata"]
        return answer

    async def version(self, path: str) -> str:
        """The resourceVersion that a collection is at."""
        listing = orjson.loads(await self.send("GET", f"{path}?limit=1", accept=PARTIAL_LIST))
        return str(listing["metadata"]["resourceVersion"])

    async def watch(self, path: str, selector: str, version: str, *, whole: bool = False) -> AsyncGenerator[Event, None]:
        """Yield what happens to the selected objects after `version`; `whole` has them sent with their data.

        On a busy machine the API server ends watches that it cannot feed in time; each goes on where it stopped.
        """
        headers = {"Accept": JSON if whole else PARTIAL_OBJECT}
        while True:
            query = f"watch=true&allowWatchBookmarks=true&labelSelector={selector}&resourceVersion={version}"
            url = URL(f"{self._base}{path}?{query}", encoded=True)
            async with self._session.get(url, headers=headers) as response:
                async for line in response.content:
                    event = _event(line)
                    version = str(event.resource_version)
                    if event.type != "BOOKMARK":
                        yield event


def _event(line: bytes) -> Event:
    event = orjson.loads(line)
    if "type" not in event or event["type"] == "ERROR":
        raise Refused(f"a watch was answered with: {event.get('object', event).get('message')}")
    meta = event["object"]["metadata"]
    return Event(event["type"], meta.get("namespace", ""), meta.get("name", ""), int(meta["resourceVersion"]), meta)
