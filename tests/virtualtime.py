"""An event loop whose time jumps to the next timer as soon as nothing is ready: hours pass in milliseconds.

For code that waits on timers and on other tasks alone: real I/O and threads take no time that such a loop could see.
"""

import asyncio
import functools
import math
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

# A test that waits longer waits for something that never comes, while a periodic timer keeps its loop turning.
LIMIT_SECONDS = 30 * 86_400.0


class NothingWillHappen(RuntimeError):
    """Every task waits for another, or for a moment beyond the limit."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Starts at time 0."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.now

    def jump(self, seconds: float) -> None:
        # A step below the resolution of a float at this time would never arrive.
        self.now = max(self.now + seconds, math.nextafter(self.now, math.inf))
        if self.now > LIMIT_SECONDS:
            raise NothingWillHappen(f"not done after {LIMIT_SECONDS:.0f} s of virtual time")


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: where the loop would, its time moves instead."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise NothingWillHappen("every task waits, and no timer is set")
        self._loop.jump(timeout)
        return ready


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time, as asyncio.run does in real time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make an asynchronous test one that runs in virtual time."""

    @functools.wraps(test)
    def in_virtual_time(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return in_virtual_time
