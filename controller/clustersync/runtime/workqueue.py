"""The work queue of one controller, after client-go's: what is to be looked at, once each, now or later.

All methods but `get` are synchronous, which on one event loop makes each of them atomic. A key waits in one place
at most, and of several asks for it the earliest moment and the greater urgency count.
"""

import asyncio
import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from random import Random
from typing import Generic, NamedTuple, TypeVar

from clustersync.runtime.backoff import Backoff

K = TypeVar("K", bound=Hashable)

# A full queue of urgent work leaves a ninth of the workers' turns to bulk: enough that a rollout ends, while one
# urgent key behind others waits at most an eighth longer than it would without bulk.
URGENT_PER_BULK = 8


class QueueClosed(Exception):
    """The queue was closed: a worker ends."""


class WorkQueue(Generic[K]):
    """Keys to work on, each in the hands of one worker at most.

    Times are those of the running loop's clock, so every method is called while the loop runs.
    """

    def __init__(self, backoff: Backoff, random: Random) -> None:
        self.retries = 0
        self._backoff = backoff
        self._random = random
        # Ready keys with the moment since which they are, in order. Ordered dicts, since the front of a plain one
        # costs more to find with every key taken from it.
        self._urgent: OrderedDict[K, float] = OrderedDict()
        self._bulk: OrderedDict[K, float] = OrderedDict()
        self._urgent_in_a_row = 0
        self._in_hand: set[K] = set()
        self._again: dict[K, bool] = {}  # in hand and added meanwhile: whether as bulk
        self._delays: _Delays[K] = _Delays(lambda key, bulk: self.add(key, bulk=bulk))
        self._failures: dict[K, int] = {}  # of failing keys only
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def depth(self) -> int:
        """Keys that are ready for a worker."""
        return len(self._urgent) + len(self._bulk)

    @property
    def delayed(self) -> int:
        """Keys that become ready later."""
        return len(self._delays)

    @property
    def in_hand(self) -> int:
        """Keys that workers hold."""
        return len(self._in_hand)

    def is_in_hand(self, key: K) -> bool:
        """Whether a worker holds the key."""
        return key in self._in_hand

    def oldest_seconds(self) -> float:
        """How long the key has been ready that is next in its line; the longer of the two lines."""
        heads = [next(iter(line.values())) for line in (self._urgent, self._bulk) if line]
        return _now() - min(heads) if heads else 0.0

    def failures(self, key: K) -> int:
        """How many times in a row the key failed."""
        return self._failures.get(key, 0)

    def add(self, key: K, *, bulk: bool = False) -> None:
        """Make a key ready now; one that is in hand becomes ready when it is done. A closed queue takes nothing."""
        if self._closed or key in self._urgent:
            return
        bulk &= self._delays.take(key, default=bulk)
        if key in self._in_hand:
            self._again[key] = bulk and self._again.get(key, True)
        else:
            self._make_ready(key, bulk)

    def add_after(self, key: K, seconds: float, *, bulk: bool = False) -> None:
        """Make a key ready after that time, unless it is sooner anyway."""
        if seconds <= 0 or key in self._again or key in self._urgent or key in self._bulk:
            self.add(key, bulk=bulk)
        elif not self._closed:
            self._delays.put(key, _now() + seconds, bulk)

    def requeue_failed(self, key: K) -> float:
        """Count a failure of the key, make it ready after its backoff, and return that in seconds.

        Retries are bulk: however many fail, what is new goes first.
        """
        failures = self._failures.get(key, 0) + 1
        self._failures[key] = failures
        self.retries += 1
        delay = self._backoff.delay(failures, self._random)
        self.add_after(key, delay, bulk=True)
        return delay

    def forget(self, key: K) -> None:
        """The key is no longer failing: its next failure counts as the first. A pending retry stays."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """Wait for the next key and take it in hand; the taker calls `done`. Raises QueueClosed.

        Cancelling it loses no key. A closed queue hands nothing out, even what was ready.
        """
        while not self._closed:
            if self._urgent or self._bulk:
                return self._take()
            await self._wait()
        raise QueueClosed

    def done(self, key: K) -> None:
        """Lay a key down; it is ready again if it was added meanwhile. KeyError for a key that is not in hand."""
        self._in_hand.remove(key)
        bulk = self._again.pop(key, None)
        if bulk is not None:
            self._make_ready(key, bulk)

    @contextmanager
    def working(self, key: K) -> Iterator[None]:
        """Lay the key down when the block ends; a block that raises or is cancelled leaves it as failed, not lost."""
        try:
            yield
        except BaseException:
            self.requeue_failed(key)
            raise
        finally:
            self.done(key)

    def close(self) -> None:
        """End it: `get` raises from now on, workers finish the key in hand, nothing more is taken."""
        self._closed = True
        self._delays.close()
        while self._waiters:
            self._wake_one()

    def _make_ready(self, key: K, bulk: bool) -> None:
        if bulk:
            self._bulk.setdefault(key, _now())
        else:
            self._urgent[key] = self._bulk.pop(key, _now())
        self._wake_one()

    def _take(self) -> K:
        if self._bulk and (not self._urgent or self._urgent_in_a_row >= URGENT_PER_BULK):
            self._urgent_in_a_row = 0
            key, _ = self._bulk.popitem(last=False)
        else:
            self._urgent_in_a_row = self._urgent_in_a_row + 1 if self._bulk else 0
            key, _ = self._urgent.popitem(last=False)
        self._in_hand.add(key)
        return key

    async def _wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # woken and cancelled in one turn: the key is for another
                self._wake_one()
            with suppress(ValueError):
                self._waiters.remove(waiter)
            raise

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


class _Delay(NamedTuple, Generic[K]):
    deadline: float
    sequence: int  # keys need no order
    key: K
    bulk: bool


# Superseded delays stay in the heap until they reach its top, or until it holds twice as many as are alive and this
# many more, below which tidying up is not worth it.
HEAP_SLACK = 64


class _Delays(Generic[K]):
    """Keys that are due later: one heap, and one timer for its top."""

    def __init__(self, on_due: Callable[[K, bool], None]) -> None:
        self._on_due = on_due
        self._pending: dict[K, _Delay[K]] = {}
        self._heap: list[_Delay[K]] = []
        self._sequence = count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def __len__(self) -> int:
        return len(self._pending)

    def put(self, key: K, deadline: float, bulk: bool) -> None:
        pending = self._pending.get(key)
        if pending is not None:
            bulk &= pending.bulk
            deadline = min(deadline, pending.deadline)
            if (deadline, bulk) == (pending.deadline, pending.bulk):
                return
        delay = _Delay(deadline, next(self._sequence), key, bulk)
        self._pending[key] = delay
        heapq.heappush(self._heap, delay)
        self._tidy_up()
        self._arm()

    def take(self, key: K, *, default: bool) -> bool:
        """Drop the key's delay, and say whether it was for bulk."""
        pending = self._pending.pop(key, None)
        return default if pending is None else pending.bulk

    def close(self) -> None:
        self._pending.clear()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _tidy_up(self) -> None:
        if len(self._heap) > 2 * len(self._pending) + HEAP_SLACK:
            self._heap = list(self._pending.values())
            heapq.heapify(self._heap)

    def _arm(self) -> None:
        if not self._heap or (self._timer is not None and self._timer_at <= self._heap[0].deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._heap[0].deadline
        self._timer = asyncio.get_running_loop().call_at(self._timer_at, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = max(_now(), self._timer_at)  # the loop may be early by the resolution of its clock
        while self._heap and self._heap[0].deadline <= now:
            delay = heapq.heappop(self._heap)
            if self._is_alive(delay):
                del self._pending[delay.key]
                self._on_due(delay.key, delay.bulk)
        self._arm()

    def _is_alive(self, delay: _Delay[K]) -> bool:
        return self._pending.get(delay.key) is delay


def _now() -> float:
    return asyncio.get_running_loop().time()
