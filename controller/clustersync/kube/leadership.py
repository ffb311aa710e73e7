"""Whether this process may write: what every writer sees of the election, and the fence that ends by itself."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

from structlog.typing import FilteringBoundLogger


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


def _now() -> float:
    return asyncio.get_running_loop().time()
