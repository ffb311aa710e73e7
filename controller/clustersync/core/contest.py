"""Targets that somebody else keeps changing back: each repair waits twice as long as the one before, so that no fight runs hot.

Times are the loop's seconds, handed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from clustersync.core.model import Target

MEMORY_SECONDS = 600.0
"""A repair counts as another round when it follows within this of the last (design, section 4)."""

CONTESTED_ROUNDS = 3
"""From this repair on the target counts as failed (design, section 4)."""

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 300.0

TIDY_SIZE = 1024
"""Rounds remembered before old ones are looked for: some 100 KB."""


@dataclass(frozen=True, slots=True)
class _Round:
    number: int
    at: float
    digest: bytes
    rival: str = ""


class Contests:
    """The repairs of late, by target. What was written for another content is no round of the same fight."""

    def __init__(self) -> None:
        self._rounds: dict[Target, _Round] = {}
        self._tidy_at = TIDY_SIZE

    def wait_seconds(self, target: Target, digest: bytes, now: float) -> float:
        """Return how long the next repair has to wait: 0 for the first, then 1 s doubling to 5 min after the last."""
        last = self._current(target, digest, now)
        if last is None:
            return 0.0
        delay = min(FIRST_DELAY_SECONDS * 2.0 ** (last.number - 1), LONGEST_DELAY_SECONDS)
        return max(last.at + delay - now, 0.0)

    def is_contested(self, target: Target, digest: bytes, now: float, *, undone: bool) -> bool:
        """Whether a target counts as failed while it waits; `undone` when the last repair was undone and another is due."""
        last = self._current(target, digest, now)
        return last is not None and last.number + undone >= CONTESTED_ROUNDS

    def rival(self, target: Target) -> str:
        """Return who undid the last repair, empty where that is not known."""
        last = self._rounds.get(target)
        return last.rival if last else ""

    def name_rival(self, target: Target, rival: str) -> None:
        """Note who undid the last repair."""
        last = self._rounds.get(target)
        if last is not None and rival:
            self._rounds[target] = replace(last, rival=rival)

    def is_fought_over(self, target: Target, digest: bytes, now: float) -> bool:
        """Whether the target was repaired lately."""
        return self._current(target, digest, now) is not None

    def repaired(self, target: Target, digest: bytes, now: float) -> None:
        """Note a repair."""
        last = self._current(target, digest, now)
        if len(self._rounds) >= self._tidy_at:
            self._tidy_up(now)
        self._rounds[target] = replace(last, number=last.number + 1, at=now) if last else _Round(1, now, digest)

    def _tidy_up(self, now: float) -> None:
        """Forget fights that are over; next time when as many have come again as are left."""
        self._rounds = {target: last for target, last in self._rounds.items() if now - last.at <= MEMORY_SECONDS}
        self._tidy_at = max(TIDY_SIZE, 2 * len(self._rounds))

    def _current(self, target: Target, digest: bytes, now: float) -> _Round | None:
        last = self._rounds.get(target)
        if last is None:
            return None
        if last.digest != digest or now - last.at > MEMORY_SECONDS:
            del self._rounds[target]
            return None
        return last
