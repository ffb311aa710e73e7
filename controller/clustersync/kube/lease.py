"""Leader election through a Lease.

The rules are client-go's (tools/leaderelection/leaderelection.go). Nothing is compared with another machine's clock: a record
expires when *we* have seen it unchanged for as long as it says, and our own right to write ends well before that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from random import Random

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from clustersync.core.errors import AlreadyExists, ApiError, Conflict, NotFound, Stale, Unreachable
from clustersync.kube.client import Client
from clustersync.kube.leadership import Fence
from clustersync.kube.leaserecord import LEASE_SECONDS, LeaseSpec, Sighting, claimed, released

RELEASE_SECONDS = 2.0
"""For giving the lease up on the way out: a successor that waits for its expiry does no harm, a shutdown that hangs is killed."""

JITTER = (0.8, 1.2)
"""Of the pauses of those who wait, so that several do not ask in step."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations of an election; the first three are client-go's defaults. Raises ValueError where two could lead at once."""

    lease_seconds: int = LEASE_SECONDS
    """How long the others wait, unless the record changes, before one takes over."""
    renew_deadline_seconds: float = 10.0
    """How long after the start of its last good renewal a leader may write; the rest of the lease is the margin."""
    retry_seconds: float = 2.0
    """Between renewals."""
    poll_seconds: float = 1.0
    """Between the looks of a standby, and after a failed renewal: half of client-go's 2 s, so that a hand-over takes below 2 s."""

    def __post_init__(self) -> None:
        if not 0 < self.poll_seconds <= self.retry_seconds < self.renew_deadline_seconds < self.lease_seconds:
            raise ValueError(f"an election needs 0 < poll <= retry < renew deadline < lease, got {self}")

    @property
    def call_seconds(self) -> float:
        """For one request: half of the deadline, so that a renewal which hangs leaves time for another on a new connection."""
        return self.renew_deadline_seconds / 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who stands for which Lease. `identity` differs for every process that ever ran."""

    namespace: str
    name: str
    identity: str
    timing: Timing = Timing()


class Election:
    """One candidate's part in the election. Every ApiError is retried; anything else ends `run`."""

    def __init__(self, client: Client, candidate: Candidate, *, random: Random, wall_clock: Callable[[], datetime]) -> None:
        self._client = client
        self._candidate = candidate
        self._random = random
        self._wall_clock = wall_clock
        self._log: FilteringBoundLogger = structlog.get_logger().bind(
            lease=f"{candidate.namespace}/{candidate.name}", identity=candidate.identity
        )
        self._fence = Fence(self._log)
        self._sighting = Sighting()
        self._stored: _Lease | None = None
        self._may_hold = False
        self._failing = False

    @property
    def leading(self) -> bool:
        """The fence's word."""
        return self._fence.may_write()

    def may_write(self) -> bool:
        """Whether the last good renewal began less than the renew deadline ago."""
        return self._fence.may_write()

    async def wait_leading(self) -> None:
        """Wait until this process leads."""
        await self._fence.wait_leading()

    async def wait_lost(self) -> None:
        """Wait until the lease is another's, or the renew deadline has passed, even while a renewal hangs."""
        await self._fence.wait_lost()

    async def run(self) -> None:
        """Acquire, renew, lose and acquire again, until cancelled."""
        while True:
            pause_seconds = await self._round()
            await asyncio.sleep(pause_seconds)

    async def release(self) -> None:
        """Clear the record, if it is ours, so that a successor need not wait for its expiry. ApiErrors are logged."""
        self._fence.drop("released")
        if not self._may_hold:
            return
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                with suppress(Stale):  # the renewal that was cancelled has just arrived
                    return await self._give_up()
                await self._give_up()
        except (ApiError, TimeoutError) as error:
            self._log.warning("lease not released", error=str(error) or "Timeout")

    async def _round(self) -> float:
        """Try once, and return the seconds until the next try.

        A Retry-After is not heeded: this is a request a second, and the one thing that must not wait behind others.
        """
        timing = self._candidate.timing
        try:
            await self._attempt()
        except ApiError as error:
            self._note_failure(error)
        else:
            self._failing = False
        if self.leading and not self._failing:
            return timing.retry_seconds
        return timing.poll_seconds * self._random.uniform(*JITTER)

    async def _attempt(self) -> None:
        if self.leading:
            with suppress(Stale):  # somebody changed the record: it says below whether that ends our turn
                return await self._claim()
        await self._read()
        if self._sighting.is_free(self._candidate.identity, _now()):
            await self._claim()
        else:
            self._fence.drop("taken by another")

    async def _claim(self) -> None:
        """Write the record as ours. What is granted counts from before the request: the others saw it later."""
        candidate, started = self._candidate, _now()
        self._may_hold = True
        await self._write(claimed(self._sighting.spec, candidate.identity, candidate.timing.lease_seconds, self._wall_clock()))
        self._fence.hold(started + candidate.timing.renew_deadline_seconds)

    async def _give_up(self) -> None:
        await self._read()
        if self._may_hold and self._stored is not None:
            await self._write(released(self._stored.spec, self._wall_clock()))
            self._may_hold = False

    async def _read(self) -> None:
        """Take in the record. One that is missing but was held a moment ago still binds us until it would have expired."""
        try:
            self._see(await self._client.get(f"{self._collection}/{self._candidate.name}", seconds=self._limit_seconds()))
        except NotFound:
            self._stored = None
        self._may_hold = self._stored is not None and self._stored.spec.holder_identity == self._candidate.identity

    async def _write(self, spec: LeaseSpec) -> None:
        limit = self._limit_seconds()
        if self._stored is None:
            metadata = msgspec.json.encode({"name": self._candidate.name, "namespace": self._candidate.namespace})
            body = msgspec.json.encode(_Lease(metadata=msgspec.Raw(metadata), spec=spec))
            self._see(await self._client.post(self._collection, body, seconds=limit))
        else:
            body = msgspec.json.encode(_Lease(metadata=self._stored.metadata, spec=spec))
            self._see(await self._client.put(f"{self._collection}/{self._candidate.name}", body, seconds=limit))

    def _see(self, raw: bytes) -> None:
        try:
            self._stored = _decode_lease(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreachable("the server sent something that is not a Lease") from error
        self._sighting.see(self._stored.spec, _now())

    @property
    def _collection(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self._candidate.namespace}/leases"

    def _limit_seconds(self) -> float:
        limit, remaining = self._candidate.timing.call_seconds, self._fence.remaining_seconds()
        return min(limit, remaining) if remaining > 0 else limit

    def _note_failure(self, error: ApiError) -> None:
        lost_a_race = isinstance(error, Conflict | AlreadyExists)
        if not self._failing and not lost_a_race:
            self._log.warning("lease out of reach", reason=error.reason, error=error.message, leading=self.leading)
        self._failing = True


class _Lease(msgspec.Struct, rename="camel"):
    """A Lease; its metadata goes back as it came, resourceVersion included, which is the precondition."""

    metadata: msgspec.Raw
    spec: LeaseSpec = LeaseSpec()
    api_version: str = "coordination.k8s.io/v1"
    kind: str = "Lease"


_decode_lease = msgspec.json.Decoder(_Lease).decode


def _now() -> float:
    return asyncio.get_running_loop().time()
