"""Whether an API server can be reached, judged from what its informers and requests meet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from clustersync.core.errors import ApiError, Unreachable

UNREACHABLE_SECONDS = 10.0
"""Without a successful answer for this long and after two failed attempts a cluster counts as unreachable (design, section 5)."""

UNREACHABLE_ATTEMPTS = 2


@dataclass(slots=True)
class _Trouble:
    since: float
    attempts: int
    error: ApiError


class Health:
    """The health of one API server.

    Each speaker (an informer, or the requests together) reports its own successes and failures; any of them in lasting trouble
    makes the cluster unreachable, with its cause. `on_change` is called whenever the verdict changes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._troubles: dict[str, _Trouble] = {}
        self._answered = False
        self._verdict: bool | None = None
        self._reachable = asyncio.Event()
        self._suspect = asyncio.Event()
        self._recovery = asyncio.Event()  # the next one; each is set once
        self._recheck: asyncio.TimerHandle | None = None

    @property
    def reachable(self) -> bool | None:
        """True after an answer, False in lasting trouble, None before either."""
        return self._verdict

    @property
    def cause(self) -> str:
        """What the oldest trouble is about; empty when there is none."""
        return next((trouble.error.message for trouble in self._troubles.values()), "")

    async def wait_reachable(self) -> None:
        """Wait until the cluster is reachable."""
        await self._reachable.wait()

    async def wait_suspect(self) -> None:
        """Wait until some attempt has failed and none of its kind succeeded since."""
        await self._suspect.wait()

    async def pause(self, seconds: float) -> None:
        """Sleep before the next attempt; ends early when a cluster that was unreachable answers again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._recovery.wait()

    def succeeded(self, speaker: str) -> None:
        """Report an answer with status 200: it ends the speaker's own trouble, and everybody's in getting through at all."""
        if self._answered and not self._troubles:
            return
        self._answered = True
        self._troubles = {
            name: trouble for name, trouble in self._troubles.items() if name != speaker and not isinstance(trouble.error, Unreachable)
        }
        self._judge()

    def failed(self, speaker: str, error: ApiError, *, since: float | None = None) -> None:
        """Report a failed attempt; `since` is when it began, where it waited for its answer. Times are the loop's."""
        now = asyncio.get_running_loop().time()
        trouble = self._troubles.setdefault(speaker, _Trouble(now if since is None else since, 0, error))
        trouble.attempts += 1
        trouble.error = error
        self._judge()
        self._recheck_when_due(now)

    def doubt(self, speaker: str, error: ApiError, *, since: float) -> None:
        """Report an attempt whose failure may be its own, such as a write that a webhook held up: it counts once, others decide."""
        if speaker not in self._troubles:
            self.failed(speaker, error, since=since)

    def dismiss(self, speaker: str) -> None:
        """Forget the troubles of a speaker that is no more."""
        if self._troubles.pop(speaker, None) is not None:
            self._judge()

    def close(self) -> None:
        """Stop the clock."""
        if self._recheck is not None:
            self._recheck.cancel()

    def _judge(self) -> None:
        (self._suspect.set if self._troubles else self._suspect.clear)()
        now = asyncio.get_running_loop().time()
        lasting = any(_lasts(trouble, now) for trouble in self._troubles.values())
        verdict = False if lasting else (self._answered or None)
        if verdict is self._verdict:
            return
        if verdict and self._verdict is False:
            self._recovery.set()
            self._recovery = asyncio.Event()
        self._verdict = verdict
        (self._reachable.set if verdict else self._reachable.clear)()
        self._on_change()

    def _recheck_when_due(self, now: float) -> None:
        """Judge again when the oldest trouble has lasted long enough, even if no further attempt ends by then."""
        self.close()
        oldest = min(trouble.since for trouble in self._troubles.values())
        self._recheck = asyncio.get_running_loop().call_later(max(oldest + UNREACHABLE_SECONDS - now, 0.0), self._judge)


def _lasts(trouble: _Trouble, now: float) -> bool:
    return trouble.attempts >= UNREACHABLE_ATTEMPTS and now - trouble.since >= UNREACHABLE_SECONDS
