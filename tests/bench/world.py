"""The surroundings of a measurement: one real control plane with N labelled namespaces, a source, and the controller beside it."""

import asyncio
import base64
import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from tests.bench.barewriter import HUB_ID as BARE_HUB_ID
from tests.bench.barewriter import BareWriter, timed
from tests.bench.observer import Observer
from tests.bench.plan import Plan
from tests.bench.rawapi import JSON, RawApi
from tests.controlplane import ControlPlane
from tests.harness import ControllerProcess, clustersync, grant, install_crd, namespace, secret, service_account_kubeconfig

SOURCE_NAMESPACE, SOURCE_NAME, SYNC = "bench-source", "payload", "bench"
LABEL = "bench"
PAYLOAD_BYTES = 2046
"""With the version beside it a Secret of 2 KiB: credentials, a certificate."""

SETUP_CONCURRENCY = 32
SECRETS = "/api/v1/secrets"
CLUSTERSYNCS = "/apis/clustersync.io/v1alpha1/clustersyncs"


@dataclass(frozen=True, slots=True)
class World:
    """What a measurement works with. Bare writer and controller are the same user of the API server, with the same rights."""

    plan: Plan
    plane: ControlPlane
    admin: RawApi
    bare_api: RawApi
    bare: BareWriter
    controller: ControllerProcess
    namespaces: list[str]
    hub_id: str
    replicas: Observer
    """Sees every replica of the controller."""
    bare_objects: Observer
    """Sees every object of the bare writer, so that being watched costs both the same."""
    versions: "count[int]"

    def fresh_data(self) -> dict[str, str]:
        """Return encoded data that was never used before."""
        payload = random.Random(version := next(self.versions)).randbytes(PAYLOAD_BYTES)
        return {"payload": base64.b64encode(payload).decode(), "version": base64.b64encode(str(version).encode()).decode()}

    async def write_source(self, data: dict[str, str]) -> None:
        """Replace the source's data."""
        source = secret(SOURCE_NAMESPACE, SOURCE_NAME, {}) | {"data": data}
        await self.admin.send("PUT", f"/api/v1/namespaces/{SOURCE_NAMESPACE}/secrets/{SOURCE_NAME}", orjson.dumps(source))

    async def declare(self) -> None:
        """Create the ClusterSync."""
        sync = clustersync(SYNC, secret(SOURCE_NAMESPACE, SOURCE_NAME, {}), {LABEL: "controller"})
        await self.admin.send("POST", CLUSTERSYNCS, orjson.dumps(sync))

    async def status(self) -> dict[str, Any]:
        """Return the status of the ClusterSync, empty when there is none."""
        found = orjson.loads(await self.admin.send("GET", f"{CLUSTERSYNCS}/{SYNC}", accept=JSON))
        status: dict[str, Any] = found.get("status", {})
        return status

    async def replica_data(self) -> list[dict[str, str]]:
        """Return the data of every replica."""
        path = f"{SECRETS}?labelSelector=clustersync.io/hub={self.hub_id}"
        return [each["data"] for each in orjson.loads(await self.admin.send("GET", path, accept=JSON))["items"]]


@asynccontextmanager
async def world(plan: Plan, number: int) -> AsyncIterator[World]:
    """Build it for so many namespaces, the controller not started; all of it goes when the block ends."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clustersync-bench-")))
        # Without a controller manager: what it writes into each new namespace would be noise.
        plane = await asyncio.to_thread(ControlPlane.start, "bench", audit=False, controller_manager=False)
        stack.callback(plane.stop)
        kubeconfig = service_account_kubeconfig(plane)
        admin = await stack.enter_async_context(RawApi(plane.kubeconfig_text()))
        bare_api = await stack.enter_async_context(RawApi(kubeconfig.read_text()))
        await asyncio.to_thread(_install, plane)
        namespaces = await _populate(admin, number)
        hub_id = (await admin.metadata("GET", "/api/v1/namespaces/kube-system"))["uid"]
        controller = ControllerProcess(kubeconfig, folder / "controller.log", "--max-concurrency", str(plan.max_concurrency))
        stack.callback(controller.stop)
        yield World(
            plan=plan,
            plane=plane,
            admin=admin,
            bare_api=bare_api,
            bare=BareWriter(bare_api, f"local/{SOURCE_NAMESPACE}/{SOURCE_NAME}"),
            controller=controller,
            namespaces=namespaces,
            hub_id=hub_id,
            replicas=await stack.enter_async_context(_observer(admin, hub_id)),
            bare_objects=await stack.enter_async_context(_observer(admin, BARE_HUB_ID)),
            versions=count(1),
        )


def _observer(api: RawApi, hub_id: str) -> Any:
    return Observer.watching(api, SECRETS, f"clustersync.io/hub={hub_id}")


def _install(plane: ControlPlane) -> None:
    install_crd(plane)
    grant(hub=plane)


async def _populate(admin: RawApi, number: int) -> list[str]:
    """Create the source and the namespaces; return the names of those."""
    names = [f"team-{index:05}" for index in range(number)]

    async def create(name: str) -> None:
        await admin.send("POST", "/api/v1/namespaces", orjson.dumps(namespace(name, **{LABEL: "controller"})))

    await admin.send("POST", "/api/v1/namespaces", orjson.dumps(namespace(SOURCE_NAMESPACE)))
    source = secret(SOURCE_NAMESPACE, SOURCE_NAME, {"version": "0"})
    await admin.send("POST", f"/api/v1/namespaces/{SOURCE_NAMESPACE}/secrets", orjson.dumps(source))
    await timed(create, [(name,) for name in names], SETUP_CONCURRENCY)
    return names
