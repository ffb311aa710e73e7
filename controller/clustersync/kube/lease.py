"""Leader election through a Lease, and the fence that is asked before every write.

The rules are client-go's (tools/leaderelection/leaderelection.go). Nothing is compared with another machine's clock: a record
expires when *we* have seen it unchanged for as long as it says, and our own right to write ends well before that.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Protocol

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from clustersync.core.errors import AlreadyExists, ApiError, Conflict, NotFound, Stale, Unreachable
from clustersync.kube.client import Client

LEASE_SECONDS = 15
"""client-go's default; also for a record that names no duration."""

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


class Leadership(Protocol):
    """Whether this process is the one that writes."""

    @property
    def leading(self) -> bool:
        """Whether it is, for metrics and probes."""
        ...

    def may_write(self) -> bool:
        """The fence: asked before every write, without an await in between."""
        ...

    async def run(self) -> None:
        """Stand for the leadership, keep it, and stand again after losing it, until cancelled."""
        ...

    async def wait_leading(self) -> None:
        """Wait until this process leads."""
        ...

    async def wait_lost(self) -> None:
        """Wait until this process does not lead."""
        ...

    async def release(self) -> None:
        """Give the leadership up for good; called when `run` has ended and no write is under way."""
        ...


class AlwaysLeading:
    """The leadership of the only controller: `--no-leader-elect`."""

    def __init__(self) -> None:
        self._released = asyncio.Event()

    @property
    def leading(self) -> bool:
        """Whether it was not released yet."""
        return not self._released.is_set()

    def may_write(self) -> bool:
        """Whether it was not released yet."""
        return self.leading

    async def run(self) -> None:
        """Wait to be cancelled."""
        await asyncio.Event().wait()

    async def wait_leading(self) -> None:
        """Return at once."""

    async def wait_lost(self) -> None:
        """Wait for the release."""
        await self._released.wait()

    async def release(self) -> None:
        """End it."""
        self._released.set()


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


class Fence:
    """Until when this process may write. Times are the loop's; it ends by itself, whatever the one who renews it is doing."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._valid_until = -math.inf
        self._expiry: asyncio.TimerHandle | None = None
        self._leading = asyncio.Event()
        self._lost = asyncio.Event()
        self._lost.set()

    def may_write(self) -> bool:
        """Whether the time has not come, by the clock: a process that was stopped has no say before its timers fire."""
        return _now() < self._valid_until

    def remaining_seconds(self) -> float:
        """Seconds left; negative without leadership."""
        return self._valid_until - _now()

    async def wait_leading(self) -> None:
        """Wait for `hold`."""
        await self._leading.wait()

    async def wait_lost(self) -> None:
        """Wait for the end, by `drop` or by time."""
        await self._lost.wait()

    def hold(self, until: float) -> None:
        """Lead until then; a moment that has passed grants nothing."""
        if until <= _now():
            return
        self._cancel_expiry()
        self._valid_until = until
        self._expiry = asyncio.get_running_loop().call_at(until, self.drop, "not renewed in time")
        if not self._leading.is_set():
            self._lost.clear()
            self._leading.set()
            self._log.info("became leader")

    def drop(self, reason: str) -> None:
        """Lead no more, from this moment."""
        self._cancel_expiry()
        self._valid_until = -math.inf
        if self._leading.is_set():
            self._leading.clear()
            self._lost.set()
            self._log.info("leadership ended", reason=reason)

    def _cancel_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None


class LeaseSpec(msgspec.Struct, frozen=True, rename="camel"):
    """The record of a Lease; times are RFC 3339 with microseconds."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Sighting:
    """The record as last seen, and since when, by our own clock, it has not changed."""

    def __init__(self) -> None:
        self.spec: LeaseSpec | None = None
        self._since = 0.0

    def see(self, spec: LeaseSpec, now: float) -> None:
        """Take in a record that was read."""
        if spec != self.spec:
            self.spec, self._since = spec, now

    def is_free(self, identity: str, now: float) -> bool:
        """Whether the record may be claimed: it never was held, was given up, is the asker's own, or stood still too long."""
        if self.spec is None or not self.spec.holder_identity or self.spec.holder_identity == identity:
            return True
        return now >= self._since + (self.spec.lease_duration_seconds or LEASE_SECONDS)


def claimed(previous: LeaseSpec | None, identity: str, lease_seconds: int, now: datetime) -> LeaseSpec:
    """Return the record by which `identity` takes or renews the lease; another's becoming ours is a transition."""
    stamp = rfc3339_micro(now)
    renewal = LeaseSpec(identity, lease_seconds, stamp, stamp, 0)
    if previous is None:
        return renewal
    transitions = previous.lease_transitions or 0
    if previous.holder_identity == identity:
        return msgspec.structs.replace(renewal, acquire_time=previous.acquire_time, lease_transitions=transitions)
    return msgspec.structs.replace(renewal, lease_transitions=transitions + 1)


def released(previous: LeaseSpec, now: datetime) -> LeaseSpec:
    """Return the record by which its holder gives the lease up."""
    return msgspec.structs.replace(previous, holder_identity="", renew_time=rfc3339_micro(now))


def rfc3339_micro(moment: datetime) -> str:
    """Return an aware datetime as Kubernetes' MicroTime."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _Lease(msgspec.Struct, rename="camel"):
    """A Lease; its metadata goes back as it came, resourceVersion included, which is the precondition."""

    metadata: msgspec.Raw
    spec: LeaseSpec = LeaseSpec()
    api_version: str = "coordination.k8s.io/v1"
    kind: str = "Lease"


_decode_lease = msgspec.json.Decoder(_Lease).decode


def _now() -> float:
    return asyncio.get_running_loop().time()
