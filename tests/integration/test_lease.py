import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, Self

import msgspec
import pytest

from clustersync.kube.client import MERGE_PATCH, Client
from clustersync.kube.credentials import member_connection
from clustersync.kube.kubeconfig import parse_kubeconfig
from clustersync.kube.lease import Candidate, Election, Timing
from clustersync.kube.transport import AiohttpTransport, Request, Response, Transport
from clustersync.runtime.tasks import Scope
from tests.controlplane import ControlPlane

TIMING = Timing(lease_seconds=3, renew_deadline_seconds=2.0, retry_seconds=0.5, poll_seconds=0.25)
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
DEADLINE_SECONDS = 20.0
SAMPLE_SECONDS = 0.005


@dataclass
class Candidates:
    """Those who stand for one Lease, and how many of them said at once that they may write."""

    client: Client
    lease: str
    scope: Scope
    elections: list[Election] = field(default_factory=list)
    most_writers: int = 0
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def join(self, identity: str, client: Client | None = None) -> Election:
        candidate = Candidate("default", self.lease, identity, TIMING)
        election = Election(client or self.client, candidate, random=Random(identity), wall_clock=lambda: datetime.now(UTC))
        self.elections.append(election)
        self.tasks[identity] = self.scope.start(identity, election.run())
        return election

    async def die(self, identity: str) -> None:
        await self.scope.stop(self.tasks[identity])

    async def watch(self) -> None:
        while True:
            self.most_writers = max(self.most_writers, sum(election.may_write() for election in self.elections))
            await asyncio.sleep(SAMPLE_SECONDS)

    async def record(self) -> dict[str, Any]:
        spec: dict[str, Any] = msgspec.json.decode(await self.client.get(f"{LEASES}/{self.lease}"))["spec"]
        return spec


@pytest.fixture
async def candidates(hub_client: Client, request: pytest.FixtureRequest) -> AsyncIterator[Candidates]:
    async with asyncio.timeout(60), Scope() as scope:
        name = request.node.name.replace("_", "-")[-60:].strip("-")
        standing = Candidates(hub_client, name, scope)
        scope.start("sampler", standing.watch())
        yield standing
        assert standing.most_writers == 1
