"""The seam below the client: a request in; status, headers and a stream of bytes out. aiohttp implements it.

Whatever goes wrong below HTTP comes out as `Unreachable`; HTTP statuses are not judged here.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

import aiohttp
from yarl import URL

from clustersync import __version__
from clustersync.core.errors import Unreachable, clean
from clustersync.kube.addresses import is_forbidden_address

KEEPALIVE_SECONDS = 75
"""Below the API server's idle timeout of 90 s (apiserver, pkg/server/secure_serving.go); each new TLS handshake costs 3 ms of CPU."""

CONNECT_SECONDS = 10
"""For TCP and TLS together; a cluster that takes longer counts as one failed attempt."""

USER_AGENT = f"clustersync/{__version__}"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `path` is encoded, with its query; `body` is sent as JSON unless a header says otherwise."""

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


class Response(Protocol):
    """An answer whose body has not been read yet."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def chunks(self) -> AsyncIterator[bytes]:
        """Return the body as it arrives, in pieces of any size."""
        ...


class Transport(Protocol):
    """The way to one API server."""

    def send(self, request: Request) -> AbstractAsyncContextManager[Response]:
        """Send a request; raises Unreachable. Leaving the block gives the connection back or cuts it."""
        ...

    async def close(self) -> None:
        """Give up all connections."""
        ...


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach an API server. `authorization` returns the header's value; asked with True, it gets a fresh one first."""

    server: str
    tls: ssl.SSLContext
    authorization: Callable[[bool], Awaitable[str | None]] = field(repr=False)
    server_hostname: str | None = None
    proxy: str | None = None
    guarded: bool = False
    """Refuse loopback and link-local addresses, whatever name they hide behind."""


class AiohttpTransport:
    """The transport over a session of its own. One connection carries one watch or one write at a time (HTTP/1.1)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._base = connection.server.rstrip("/")
        self._refused = False  # the last answer was a 401: the next request asks for fresh credentials first
        connector = aiohttp.TCPConnector(
            limit=0,  # the limiter bounds writes; watches are few and must not wait for them
            ssl=connection.tls,
            keepalive_timeout=KEEPALIVE_SECONDS,
            socket_factory=_guarded_socket if connection.guarded else _socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            trust_env=False,  # costs two thread hops a request (reference: aio-libs/aiohttp#11634)
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )

    @asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Response]:
        """Send a request; raises Unreachable."""
        headers = dict(request.headers)
        fresh, self._refused = self._refused, False
        if authorization := await self._connection.authorization(fresh):
            headers["Authorization"] = authorization
        if request.body is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            async with self._session.request(
                request.method,
                URL(self._base + request.path, encoded=True),
                data=request.body,
                headers=headers,
                allow_redirects=False,
                proxy=self._connection.proxy,
                server_hostname=self._connection.server_hostname,
            ) as response:
                self._refused = response.status == HTTPStatus.UNAUTHORIZED
                yield _Response(response)
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(_describe(error)) from error

    async def close(self) -> None:
        """Give up all connections."""
        await self._session.close()


class _Response:
    __slots__ = ("_response",)

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    def chunks(self) -> AsyncIterator[bytes]:
        return self._response.content.iter_any()


AddrInfo = tuple[Any, ...]


def _socket(info: AddrInfo) -> socket.socket:
    family, kind, protocol, _, _ = info
    connection = socket.socket(family=family, type=kind, proto=protocol)
    # A peer that vanished without a word (a node lost, a firewall) is noticed below HTTP as well, where HTTP/1.1 has no ping.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return connection


def _guarded_socket(info: AddrInfo) -> socket.socket:
    address = info[4][0]
    if is_forbidden_address(address):
        raise OSError("the server's name leads to a loopback or link-local address, which is refused")
    return _socket(info)


def _describe(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return clean(f"certificate refused: {error.certificate_error}")
    if isinstance(error, aiohttp.ServerTimeoutError | TimeoutError):
        return "no connection within the time limit"
    if isinstance(error, aiohttp.ClientConnectorError):
        return clean(f"cannot connect: {_os_words(error.os_error)}")
    return clean(str(error) or type(error).__name__)


def _os_words(error: OSError) -> str:
    """The system's words where there are any: asyncio puts its own, with the address, in their place."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
