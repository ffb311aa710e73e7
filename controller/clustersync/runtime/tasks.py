"""Task scopes: the only place that starts tasks. What a scope started has ended when its block is left."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self


class Scope:
    """Children that come and go while the block runs; leaving it cancels and awaits those that are left.

    A child that crashes cancels the block and its siblings and surfaces as an ExceptionGroup, one level per scope.
    The block's own exception comes out in a group too.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        # Children that nobody has told to end. Telling one twice would interrupt its cleanup.
        self._wanted: dict[asyncio.Task[None], None] = {}
        self._closing = False

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        # A child started after this point would be cancelled by nobody, and the group would wait for it for ever.
        self._closing = True
        for child in self._wanted:
            child.cancel()  # so may the group, but in the same turn, which counts once
        self._wanted.clear()
        await self._group.__aexit__(kind, error, traceback)

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a child and return the handle that stops it; RuntimeError when the scope is closing."""
        if self._closing:
            work.close()
            raise RuntimeError(f"task {name!r} was started in a scope that is closing")
        child = self._group.create_task(work, name=name)
        self._wanted[child] = None
        child.add_done_callback(self._ended)
        return child

    async def stop(self, child: asyncio.Task[None]) -> None:
        """Cancel a child and wait until it has ended; what it raises while ending surfaces from the scope."""
        if child in self._wanted:
            del self._wanted[child]
            child.cancel()
        await asyncio.wait({child})

    def _ended(self, child: asyncio.Task[None]) -> None:
        self._wanted.pop(child, None)
        if not child.cancelled() and child.exception() is not None:
            self._closing = True  # the group has told all others to end
            self._wanted.clear()


@asynccontextmanager
async def running(*named: tuple[str, Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run the named coroutines beside the block, and cancel and await them when it is left.

    Errors surface as those of Scope. A child that returns is not missed.
    """
    async with Scope() as scope:
        for name, work in named:
            scope.start(name, work)
        yield
