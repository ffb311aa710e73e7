"""The scoreboard after any sequence of reports against a plain list of what was said last."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from clustersync.core.api import Kind
from clustersync.core.model import SyncName, Target
from clustersync.core.scoreboard import Counts, Score, Scoreboard, State

SYNCS = [SyncName(name) for name in ("a", "b", "c")]
TARGETS = [Target(Kind.SECRET, f"ns-{number}", "registry") for number in range(5)]
TROUBLE = (State.FAILED, State.CONFLICT)

A_SYNC, A_TARGET = st.sampled_from(SYNCS), st.sampled_from(TARGETS)
SCORES = st.dictionaries(A_SYNC, st.tuples(st.sampled_from(State), st.sampled_from(["", "Forbidden", "Invalid"])), max_size=3)


class Reports(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.board = Scoreboard()
        self.now = 1000.0
        self.said: dict[tuple[SyncName, Target], tuple[State, str, float]] = {}
        self.restored: dict[tuple[SyncName, Target], float] = {}

    def say(self, sync: SyncName, target: Target, state: State, reason: str) -> None:
        before = self.said.get((sync, target))
        if before and before[0] is state:
            since = before[2]
        elif state in TROUBLE:
            since = self.restored.pop((sync, target), self.now)
        else:
            since = self.now
        if state is State.SYNCED:
            self.restored.pop((sync, target), None)
        self.said[sync, target] = state, reason, since

    def spoken_of(self, target: Target) -> dict[SyncName, tuple[State, str]]:
        return {
            sync: (state, "" if state is State.SYNCED else reason) for (sync, at), (state, reason, _) in self.said.items() if at == target
        }

    @rule(at=A_TARGET, scores=SCORES)
    def record(self, at: Target, scores: dict[SyncName, tuple[State, str]]) -> None:
        before = self.spoken_of(at)
        changed = self.board.record(at, [Score(sync, *word) for sync, word in scores.items()], self.now)
        self.said = {key: word for key, word in self.said.items() if key[1] != at or key[0] in scores}
        for sync, (state, reason) in scores.items():
            self.say(sync, at, state, reason)
        after = self.spoken_of(at)
        assert changed == {sync for sync in SYNCS if before.get(sync) != after.get(sync)}

    @rule(at=A_TARGET, sync=A_SYNC)
    def mark_pending(self, at: Target, sync: SyncName) -> None:
        before = self.said.get((sync, at))
        news = before is None or before[0] is State.SYNCED
        assert self.board.mark_pending(at, sync, self.now) is news
        if news:
            self.say(sync, at, State.PENDING, "")

    @rule(at=A_TARGET, sync=A_SYNC, age=st.integers(1, 500))
    def restore(self, at: Target, sync: SyncName, age: int) -> None:
        if (sync, at) not in self.said:
            self.restored[sync, at] = self.now - age
            self.board.restore_since(sync, at, self.now - age)

    @rule(sync=A_SYNC)
    def forget(self, sync: SyncName) -> None:
        self.board.forget(sync)
        self.restored = {key: since for key, since in self.restored.items() if key[0] != sync}

    @rule(seconds=st.integers(0, 10))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def counts_equal_a_recount(self) -> None:
        for sync in SYNCS:
            states = Counter(state for (name, _), (state, _, _) in self.said.items() if name == sync)
            counted = Counts(states[State.SYNCED], states[State.PENDING], states[State.FAILED], states[State.CONFLICT])
            assert self.board.counts(sync) == counted

    @invariant()
    def each_target_has_its_scores(self) -> None:
        for target in TARGETS:
            scores = {each.sync: (each.state, each.reason, each.since) for each in self.board.scores_at(target)}
            said = {sync: word for (sync, at), word in self.said.items() if at == target}
            assert scores == {sync: (State.SYNCED, "", 0.0) if word[0] is State.SYNCED else word for sync, word in said.items()}

    @invariant()
    def the_oldest_come_first(self) -> None:
        for sync in SYNCS:
            pending = [since for (name, _), (state, _, since) in self.said.items() if name == sync and state is State.PENDING]
            failing = sorted((since, at) for (name, at), (state, _, since) in self.said.items() if name == sync and state in TROUBLE)
            assert self.board.oldest_pending(sync) == min(pending, default=None)
            assert [(each.since, at) for at, each in self.board.failures(sync, 3)] == failing[:3]

    @invariant()
    def unsynced_targets_are_listed(self) -> None:
        for sync in SYNCS:
            expected = {at for (name, at), (state, _, _) in self.said.items() if name == sync and state is not State.SYNCED}
            assert set(self.board.unsynced(sync)) == expected


TestReports = Reports.TestCase
