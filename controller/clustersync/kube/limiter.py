"""How many writes one API server gets at a time: as many as it takes well, found out while writing.

Slow start, additive increase, multiplicative decrease; steered by push-back (429, 503, timeouts), not by latency, since an API
server at its best throughput is many times slower per call than an idle one (measured).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

INITIAL = 8
"""Where slow start begins: 60 % of the best throughput already, and harmless to the smallest API server (measured)."""

DECREASE = 0.7
"""Factor after push-back, as CUBIC's."""


class Limiter:
    """Admits workers. A slot is held while a worker is active; one that finds no slot waits, first come first served."""

    def __init__(self, maximum: int) -> None:
        self.limit = min(INITIAL, maximum)
        self._maximum = maximum
        self._active = 0
        self._slow_start = True
        self._round = 0
        self._paused_until = 0.0
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def active(self) -> int:
        """Workers that hold a slot."""
        return self._active

    async def wait_limit(self, limit: int) -> None:
        """Wait until the limit is that high."""
        while self.limit < limit:
            await self._wait()

    async def wait_pause(self) -> None:
        """Wait for the end of a pause that the server asked for."""
        delay = self._paused_until - asyncio.get_running_loop().time()
        if delay > 0:
            await asyncio.sleep(delay)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a slot while the block runs."""
        while self._active >= self.limit:
            await self._wait()
        self._active += 1
        try:
            yield
        finally:
            self._active -= 1
            self._wake()

    def succeeded(self, *, saturated: bool) -> None:
        """Count an answered write; a whole round of them raises the limit if there was more work than slots."""
        self._round += 1
        if self._round < self.limit:
            return
        self._round = 0
        if saturated and self.limit < self._maximum:
            self.limit = min(self.limit * 2 if self._slow_start else self.limit + 1, self._maximum)
            self._wake()

    def pushed_back(self, retry_after_seconds: float | None) -> None:
        """Count a 429, 503 or timeout: fewer at a time, and none before the server's wish has passed. Once a round at most."""
        now = asyncio.get_running_loop().time()
        if retry_after_seconds:
            self._paused_until = max(self._paused_until, now + retry_after_seconds)
        if self._round or self._slow_start:
            self.limit = max(1, int(self.limit * DECREASE))
        self._slow_start = False
        self._round = 0

    async def _wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        """Let every waiter look again: there are few, and the limit seldom changes."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
