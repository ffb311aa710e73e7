"""The composition root: builds the controller out of its settings, runs it until a signal, and takes it down in order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from random import Random

import structlog
from prometheus_client import CollectorRegistry

from clustersync import __version__, metrics, probes
from clustersync.core.errors import ApiError
from clustersync.kube.client import Client
from clustersync.kube.credentials import CredentialsError, hub_connection, member_connection
from clustersync.kube.events import EventRecorder
from clustersync.kube.leadership import AlwaysLeading, Leadership
from clustersync.kube.lease import Candidate, Election
from clustersync.kube.registration import Registration
from clustersync.kube.transport import AiohttpTransport, Connection, Transport
from clustersync.kube.wire import decode_partial
from clustersync.probes import CannotServe
from clustersync.runtime import logs
from clustersync.runtime.tasks import Scope, running
from clustersync.settings import InvalidSettings, Settings, from_environment
from clustersync.sync.controller import Controller, Hub, Options

LEASE_NAME = "clustersync"
FIRST_CONTACT_SECONDS = 2.0
"""Between two tries to reach the hub at the start."""

log = structlog.get_logger()


def main() -> int:
    """Run the controller with settings from the environment; return the exit code."""
    try:
        settings = from_environment(os.environ)
    except InvalidSettings as error:
        sys.stderr.write(f"clustersync: {error}\n")
        return 64
    logs.configure(settings.log_level, settings.log_format)
    try:
        asyncio.run(_run(settings))
    except (CredentialsError, CannotServe) as error:
        sys.stderr.write(f"clustersync: {error}\n")
        return 1
    except Exception as error:
        log.critical("controller failed", exc_info=error)
        return 1
    return 0


async def _run(settings: Settings) -> None:
    stop = _stop_on_signals()
    random = Random()
    connection = await hub_connection(settings.kubeconfig, settings.context, os.environ)
    registry = CollectorRegistry(auto_describe=False)
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(probes.serving(settings.metrics_address, registry))
        lease_client = await stack.enter_async_context(_client(connection))
        hub_id = settings.hub_id or await _hub_id(lease_client, stop)
        if hub_id is None:
            return
        leadership = _leadership(settings, lease_client, random)
        log.info("controller starts", version=__version__, hub=connection.server, hub_id=hub_id, dry_run=settings.dry_run)
        await stack.enter_async_context(_leading(leadership))
        async with _controller(settings, connection, leadership, hub_id) as controller:
            registry.register(metrics.ControllerCollector(controller, leadership))
            served.is_ready = lambda: controller.synced
            await stop.wait()
    log.info("controller stopped")


@asynccontextmanager
async def _controller(settings: Settings, connection: Connection, leadership: Leadership, hub_id: str) -> AsyncIterator[Controller]:
    """Run the controller while the block runs."""
    random = Random()
    control_transport, local = AiohttpTransport(connection), AiohttpTransport(connection)
    control = Client(control_transport, may_write=leadership.may_write)
    recorder = EventRecorder(control, instance=_identity(), may_write=leadership.may_write, random=random, wall_clock=_utc_now)
    try:
        async with Scope() as scope:
            controller = Controller(
                scope,
                Hub(hub_id, control, local, _connector(allow_loopback=settings.allow_loopback_clusters)),
                _options(settings),
                leadership=leadership,
                recorder=recorder,
                random=random,
                wall_clock=time.time,
            )
            scope.start("events", recorder.run())
            scope.start("controller", controller.run())
            yield controller
    finally:
        await control.close()


@asynccontextmanager
async def _leading(leadership: Leadership) -> AsyncIterator[None]:
    """Stand for the leadership while the block runs; give it up when all writers have ended."""
    try:
        async with running(("lease", leadership.run())):
            yield
    finally:
        await leadership.release()


@asynccontextmanager
async def _client(connection: Connection) -> AsyncIterator[Client]:
    client = Client(AiohttpTransport(connection))
    try:
        yield client
    finally:
        await client.close()


def _leadership(settings: Settings, client: Client, random: Random) -> Leadership:
    if not settings.leader_elect:
        return AlwaysLeading()
    return Election(client, Candidate(settings.namespace, LEASE_NAME, _identity()), random=random, wall_clock=_utc_now)


def _connector(*, allow_loopback: bool) -> Callable[[Registration], Awaitable[Transport]]:
    async def connect(registration: Registration) -> Transport:
        connection = await asyncio.to_thread(member_connection, registration.endpoint, guarded=not allow_loopback)
        return AiohttpTransport(connection)

    return connect


async def _hub_id(client: Client, stop: asyncio.Event) -> str | None:
    """Return the UID of the hub's kube-system namespace, waiting for the hub to answer; None when told to stop before."""
    while not stop.is_set():
        try:
            return decode_partial(await client.get("/api/v1/namespaces/kube-system", seconds=5)).metadata.uid
        except ApiError as error:
            log.warning("hub does not answer", reason=error.reason, error=error.message)
        try:
            async with asyncio.timeout(FIRST_CONTACT_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue
    return None


def _options(settings: Settings) -> Options:
    return Options(
        namespace=settings.namespace,
        former_hub_ids=settings.former_hub_ids,
        local_labels=settings.local_labels,
        is_protected=settings.is_protected,
        allow_loopback=settings.allow_loopback_clusters,
        dry_run=settings.dry_run,
        max_concurrency=settings.max_concurrency,
    )


def _identity() -> str:
    return f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set; a second one ends the process at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: os._exit(1) if stop.is_set() else stop.set())
    return stop
