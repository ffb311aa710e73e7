"""The scoreboard: how each target of one cluster is doing, with counts per ClusterSync kept as they change, never scanned for.

All methods are synchronous. Times are wall-clock seconds, handed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from heapq import merge
from itertools import islice

from clustersync.core.model import SyncName, Target


class State(Enum):
    """How a target is doing, as the status counts it."""

    SYNCED = "synced"
    PENDING = "pending"
    FAILED = "failed"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Score:
    """One claim's state at one target. `since` is when it came into that state, in wall-clock seconds."""

    sync: SyncName
    state: State
    reason: str = ""
    message: str = ""
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many targets of one ClusterSync are in which state on one cluster."""

    synced: int = 0
    pending: int = 0
    failed: int = 0
    conflicts: int = 0

    @property
    def desired(self) -> int:
        """All of them."""
        return self.synced + self.pending + self.failed + self.conflicts

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.synced + other.synced, self.pending + other.pending, self.failed + other.failed, self.conflicts + other.conflicts
        )


class _Tally:
    """The targets of one ClusterSync: a number of synced ones, and the others by state, oldest first."""

    __slots__ = ("others", "synced", "synced_score", "written_at")

    def __init__(self, sync: SyncName) -> None:
        self.synced = 0
        self.written_at = 0.0
        self.synced_score = (Score(sync, State.SYNCED),)
        self.others: dict[State, dict[Target, Score]] = {State.PENDING: {}, State.FAILED: {}, State.CONFLICT: {}}

    def add(self, target: Target, score: Score) -> None:
        if score.state is State.SYNCED:
            self.synced += 1
        else:
            self.others[score.state][target] = score

    def remove(self, target: Target, score: Score) -> None:
        if score.state is State.SYNCED:
            self.synced -= 1
        else:
            self.others[score.state].pop(target, None)


class Scoreboard:
    """The state of every claimed target of one cluster."""

    def __init__(self) -> None:
        self._scores: dict[Target, tuple[Score, ...]] = {}
        self._tallies: dict[SyncName, _Tally] = {}
        self._restored: dict[tuple[SyncName, Target], float] = {}

    def restore_since(self, sync: SyncName, target: Target, since: float) -> None:
        """Remember from a stored status since when a target has been failing, so that a restart does not change it."""
        self._restored[sync, target] = since

    def record(self, target: Target, scores: Iterable[Score], now: float) -> set[SyncName]:
        """Replace what is said about `target`; return the ClusterSyncs for which that changed something.

        A claim that stays in a state keeps its `since`; a target without scores is nobody's any more.
        """
        before = {score.sync: score for score in self._scores.get(target, ())}
        after = tuple(self._dated(target, score, before.get(score.sync), now) for score in scores)
        changed = {score.sync for score in after if before.get(score.sync) != score}
        changed |= before.keys() - {score.sync for score in after}
        states = {score.sync: score.state for score in after}
        for sync in changed & before.keys():
            if before[sync].state is not states.get(sync):
                self._tallies[sync].remove(target, before[sync])
        for score in after:
            if score.sync in changed:
                self._tally(score.sync).add(target, score)
        self._keep(target, after)
        return changed

    def mark_pending(self, target: Target, sync: SyncName, now: float) -> bool:
        """Say that a synced target waits for its turn, or that one joined in; return whether that changed something."""
        scores = self._scores.get(target, ())
        current = next((score for score in scores if score.sync == sync), None)
        if current is not None and current.state is not State.SYNCED:
            return False
        others = [score for score in scores if score.sync != sync]
        return bool(self.record(target, [*others, Score(sync, State.PENDING)], now))

    def note_write(self, sync: SyncName, now: float) -> None:
        """Remember when a write for this ClusterSync last succeeded."""
        self._tally(sync).written_at = now

    def written_at(self, sync: SyncName) -> float:
        """Return when a write for this ClusterSync last succeeded, 0 when none did in this process."""
        tally = self._tallies.get(sync)
        return tally.written_at if tally else 0.0

    def counts(self, sync: SyncName) -> Counts:
        """Return the counts of one ClusterSync."""
        tally = self._tallies.get(sync)
        if tally is None:
            return Counts()
        others = tally.others
        return Counts(tally.synced, len(others[State.PENDING]), len(others[State.FAILED]), len(others[State.CONFLICT]))

    def syncs(self) -> Iterable[SyncName]:
        """Return every ClusterSync with anything on the board."""
        return self._tallies.keys()

    def scores_at(self, target: Target) -> tuple[Score, ...]:
        """Return what is said about one target."""
        return self._scores.get(target, ())

    def unsynced(self, sync: SyncName) -> list[Target]:
        """Return the targets of a ClusterSync that are not in sync."""
        tally = self._tallies.get(sync)
        return [target for targets in tally.others.values() for target in targets] if tally else []

    def oldest_pending(self, sync: SyncName) -> float | None:
        """Return since when the oldest pending target has been waiting."""
        tally = self._tallies.get(sync)
        first = next(iter(tally.others[State.PENDING].values()), None) if tally else None
        return first.since if first else None

    def failures(self, sync: SyncName, limit: int) -> list[tuple[Target, Score]]:
        """Return up to `limit` failing or conflicting targets, the oldest first."""
        tally = self._tallies.get(sync)
        if tally is None:
            return []
        ordered = (sorted(tally.others[state].items(), key=_age) for state in (State.FAILED, State.CONFLICT))
        return list(islice(merge(*ordered, key=_age), limit))

    def forget(self, sync: SyncName) -> None:
        """Drop the tally of a ClusterSync that is gone and has no target left."""
        if sync in self._tallies and self.counts(sync).desired == 0:
            del self._tallies[sync]
        self._restored = {key: since for key, since in self._restored.items() if key[0] != sync}

    def _dated(self, target: Target, score: Score, before: Score | None, now: float) -> Score:
        if before is not None and before.state is score.state:
            return before if score.state is State.SYNCED else replace(score, since=before.since)
        if score.state is State.PENDING:
            return replace(score, since=now)
        restored = self._restored.pop((score.sync, target), now)
        return self._tally(score.sync).synced_score[0] if score.state is State.SYNCED else replace(score, since=restored)

    def _tally(self, sync: SyncName) -> _Tally:
        tally = self._tallies.get(sync)
        if tally is None:
            tally = self._tallies[sync] = _Tally(sync)
        return tally

    def _keep(self, target: Target, scores: tuple[Score, ...]) -> None:
        if not scores:
            self._scores.pop(target, None)
        elif len(scores) == 1 and scores[0].state is State.SYNCED:
            self._scores[target] = self._tallies[scores[0].sync].synced_score
        else:
            self._scores[target] = scores


def _age(entry: tuple[Target, Score]) -> tuple[float, Target]:
    return entry[1].since, entry[0]
