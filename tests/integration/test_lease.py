import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from random import Random

import msgspec
import pytest

from clustersync.kube.client import Client
from clustersync.kube.credentials import member_connection
from clustersync.kube.kubeconfig import parse_kubeconfig
from clustersync.kube.lease import RELEASE_SECONDS, Candidate, Election, Timing
from clustersync.kube.leaserecord import LeaseSpec
from clustersync.kube.transport import AiohttpTransport, Connection, Request, Response
from clustersync.runtime.tasks import Scope
from tests.controlplane import ControlPlane

TIMING = Timing(lease_seconds=3, renew_deadline_seconds=2.0, retry_seconds=0.5, poll_seconds=0.25)
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
SAMPLE_SECONDS = 0.005


class Candidates:
    """Those who stand for one Lease, and how many of them at most said at once that they may write."""

    def __init__(self, client: Client, lease: str, scope: Scope) -> None:
        self._client = client
        self._path = f"{LEASES}/{lease}"
        self._lease = lease
        self._scope = scope
        self._standing: dict[str, tuple[Election, asyncio.Task[None]]] = {}
        self.most_writers = 0

    def join(self, identity: str, client: Client | None = None) -> Election:
        candidate = Candidate("default", self._lease, identity, TIMING)
        election = Election(client or self._client, candidate, random=Random(identity), wall_clock=lambda: datetime.now(UTC))
        self._standing[identity] = election, self._scope.start(identity, election.run())
        return election

    async def die(self, identity: str) -> None:
        """End it without a release, as a kill would."""
        await self._scope.stop(self._standing[identity][1])

    async def leave(self, identity: str) -> None:
        await self.die(identity)
        await self._standing[identity][0].release()

    async def count_writers(self) -> None:
        while True:
            writers = sum(election.may_write() for election, _ in self._standing.values())
            self.most_writers = max(self.most_writers, writers)
            await asyncio.sleep(SAMPLE_SECONDS)

    async def record(self) -> LeaseSpec:
        return msgspec.json.decode(await self._client.get(self._path), type=_Stored).spec

    async def edit(self, change: dict[str, object]) -> None:
        await self._client.patch(self._path, msgspec.json.encode(change))

    async def delete(self) -> None:
        stored = msgspec.json.decode(await self._client.get(self._path), type=_Stored).metadata
        await self._client.delete(self._path, uid=stored.uid, resource_version=int(stored.resource_version))


class _Metadata(msgspec.Struct, rename="camel"):
    uid: str
    resource_version: str


class _Stored(msgspec.Struct):
    metadata: _Metadata
    spec: LeaseSpec


@asynccontextmanager
async def candidates_for(lease: str, client: Client) -> AsyncIterator[Candidates]:
    async with asyncio.timeout(60), Scope() as scope:
        candidates = Candidates(client, lease, scope)
        scope.start("sampler", candidates.count_writers())
        yield candidates


class SeverableTransport(AiohttpTransport):
    """A way to the server on which, while it is severed, requests go out and nothing ever comes back."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.severed = False
        self.hanging = asyncio.Event()

    @asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Response]:
        if self.severed:
            self.hanging.set()
            await asyncio.Event().wait()
        async with super().send(request) as response:
            yield response


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    started = loop.time()
    yield
    assert loop.time() - started <= seconds


async def keeps_leading(election: Election, seconds: float) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await election.wait_lost()


@pytest.fixture
async def severable(hub: ControlPlane) -> AsyncIterator[SeverableTransport]:
    transport = SeverableTransport(member_connection(parse_kubeconfig(hub.kubeconfig_text().encode(), allow_loopback=True), guarded=False))
    yield transport
    await transport.close()


async def test_of_two_candidates_one_leads_and_on_leaving_the_other_takes_over_within_two_polls(hub_client: Client) -> None:
    async with candidates_for("hand-over", hub_client) as candidates:
        first = candidates.join("first")
        await first.wait_leading()
        second = candidates.join("second")
        await keeps_leading(first, TIMING.lease_seconds + 1)
        assert (first.may_write(), second.may_write()) == (True, False)
        with at_most(2 * TIMING.poll_seconds + 0.5):
            await candidates.leave("first")
            assert not first.may_write()
            await second.wait_leading()
        assert (await candidates.record()).holder_identity == "second"
        assert candidates.most_writers == 1


async def test_the_record_says_who_since_when_and_how_many_before(hub_client: Client) -> None:
    async with candidates_for("record", hub_client) as candidates:
        await candidates.join("first").wait_leading()
        acquired = await candidates.record()
        assert (acquired.holder_identity, acquired.lease_duration_seconds, acquired.lease_transitions) == ("first", 3, 0)
        assert acquired.acquire_time == acquired.renew_time
        renewed = acquired
        while renewed.renew_time == acquired.renew_time:
            renewed = await candidates.record()
        assert renewed.acquire_time == acquired.acquire_time
        assert renewed.renew_time > acquired.renew_time  # type: ignore[operator]
        await candidates.leave("first")
        given_up = await candidates.record()
        assert (given_up.holder_identity, given_up.acquire_time) == ("", acquired.acquire_time)
        await candidates.join("second").wait_leading()
        taken = await candidates.record()
        assert (taken.holder_identity, taken.lease_transitions) == ("second", 1)
        assert taken.acquire_time > acquired.acquire_time  # type: ignore[operator]


async def test_after_a_death_without_release_the_successor_waits_for_the_lease_to_expire(hub_client: Client) -> None:
    async with candidates_for("expiry", hub_client) as candidates:
        first, loop = candidates.join("first"), asyncio.get_running_loop()
        await first.wait_leading()
        second = candidates.join("second")
        await candidates.die("first")
        died_at = loop.time()
        await first.wait_lost()
        assert loop.time() - died_at <= TIMING.renew_deadline_seconds + 0.5
        await second.wait_leading()
        assert TIMING.lease_seconds - TIMING.retry_seconds - 0.5 <= loop.time() - died_at <= TIMING.lease_seconds + 2
        assert (await candidates.record()).lease_transitions == 1
        assert candidates.most_writers == 1


async def test_a_leader_whose_renewals_hang_stops_before_its_lease_ends_and_stays_as_a_standby(
    hub_client: Client, severable: SeverableTransport
) -> None:
    async with candidates_for("hanging", hub_client) as candidates:
        first = candidates.join("first", Client(severable))
        await first.wait_leading()
        second = candidates.join("second")
        with at_most(TIMING.renew_deadline_seconds + 0.5):
            severable.severed = True
            await first.wait_lost()
        assert not first.may_write()
        await second.wait_leading()
        severable.severed = False
        await candidates.leave("second")
        await first.wait_leading()
        assert (await candidates.record()).lease_transitions == 2
        assert candidates.most_writers == 1


async def test_one_renewal_that_hangs_does_not_cost_the_leadership(hub_client: Client, severable: SeverableTransport) -> None:
    async with candidates_for("short-cut", hub_client) as candidates:
        first = candidates.join("first", Client(severable))
        await first.wait_leading()
        candidates.join("second")
        severable.severed = True
        await severable.hanging.wait()
        severable.severed = False  # the request that hangs goes on hanging
        await keeps_leading(first, TIMING.lease_seconds)
        assert (await candidates.record()).lease_transitions == 0
        assert candidates.most_writers == 1


async def test_a_stolen_lease_ends_the_leadership_at_the_next_renewal(hub_client: Client) -> None:
    async with candidates_for("stolen", hub_client) as candidates:
        first = candidates.join("first")
        await first.wait_leading()
        with at_most(TIMING.retry_seconds + 0.5):
            await candidates.edit({"spec": {"holderIdentity": "thief"}})
            await first.wait_lost()
        assert not first.may_write()
        await first.wait_leading()  # the thief renews nothing
        assert (await candidates.record()).lease_transitions == 1


async def test_an_edit_that_leaves_the_holder_alone_changes_nothing(hub_client: Client) -> None:
    async with candidates_for("edited", hub_client) as candidates:
        first = candidates.join("first")
        await first.wait_leading()
        before = await candidates.record()
        await candidates.edit({"metadata": {"labels": {"team": "platform"}}})
        await keeps_leading(first, TIMING.renew_deadline_seconds + 1)
        after = await candidates.record()
        assert (after.holder_identity, after.lease_transitions, after.acquire_time) == ("first", 0, before.acquire_time)


async def test_a_deleted_lease_is_made_anew_by_its_holder_and_nobody_else(hub_client: Client) -> None:
    async with candidates_for("deleted", hub_client) as candidates:
        first = candidates.join("first")
        await first.wait_leading()
        second = candidates.join("second")
        await keeps_leading(first, TIMING.lease_seconds)  # meanwhile the second sees whose it is
        await candidates.delete()
        await keeps_leading(first, TIMING.lease_seconds)
        assert not second.may_write()
        assert (await candidates.record()).holder_identity == "first"
        assert candidates.most_writers == 1


async def test_leaving_does_not_touch_the_lease_of_another(hub_client: Client) -> None:
    async with candidates_for("not-mine", hub_client) as candidates:
        first = candidates.join("first")
        await first.wait_leading()
        candidates.join("second")
        await keeps_leading(first, TIMING.lease_seconds)
        await candidates.leave("second")
        assert (await candidates.record()).holder_identity == "first"


async def test_leaving_while_the_server_is_silent_ends_soon_and_writes_no_more(hub_client: Client, severable: SeverableTransport) -> None:
    async with candidates_for("silent", hub_client) as candidates:
        first = candidates.join("first", Client(severable))
        await first.wait_leading()
        severable.severed = True
        with at_most(RELEASE_SECONDS + 0.5):
            await candidates.leave("first")
        assert not first.may_write()
