"""How each target is doing: counts, times and the oldest failures."""

from __future__ import annotations

import pytest

from clustersync.core.api import Kind
from clustersync.core.model import SyncName, Target
from clustersync.core.scoreboard import Counts, Score, Scoreboard, State

A, B = SyncName("a"), SyncName("b")


def target(name: str = "team-a") -> Target:
    return Target(Kind.SECRET, name, "registry")


def score(state: State, reason: str = "", *, sync: SyncName = A) -> Score:
    return Score(sync, state, reason)


def board(*steps: tuple[str, State, float]) -> Scoreboard:
    """A board on which each target came into its state at that time."""
    filled = Scoreboard()
    for name, state, now in steps:
        filled.record(target(name), [score(state)], now)
    return filled


def since(where: Scoreboard, name: str = "team-a") -> float:
    return where.scores_at(target(name))[0].since


def test_an_unknown_clustersync_counts_nothing() -> None:
    assert Scoreboard().counts(A) == Counts()
    assert Scoreboard().failures(A, 10) == []
    assert Scoreboard().oldest_pending(A) is None
    assert Scoreboard().unsynced(A) == []


def test_each_state_has_its_count_and_desired_is_all_of_them() -> None:
    counts = board(
        ("a", State.SYNCED, 1), ("b", State.PENDING, 1), ("c", State.FAILED, 1), ("d", State.CONFLICT, 1), ("e", State.SYNCED, 1)
    ).counts(A)
    assert counts == Counts(synced=2, pending=1, failed=1, conflicts=1)
    assert counts.desired == 5


def test_counts_add_up() -> None:
    assert Counts(1, 2, 3, 4) + Counts(10, 20, 30, 40) == Counts(11, 22, 33, 44)


def test_two_claims_on_one_target_are_counted_each_for_itself() -> None:
    both = Scoreboard()
    changed = both.record(target(), [score(State.SYNCED), score(State.CONFLICT, "Outranked", sync=B)], 1)
    assert changed == {A, B}
    assert (both.counts(A), both.counts(B)) == (Counts(synced=1), Counts(conflicts=1))


@pytest.mark.parametrize("state", list(State))
def test_the_same_word_again_is_no_change(state: State) -> None:
    known = board(("team-a", state, 1))
    assert known.record(target(), [score(state)], 2) == set()


def test_another_reason_in_the_same_state_is_a_change_and_keeps_the_time() -> None:
    known = board(("team-a", State.FAILED, 1))
    assert known.record(target(), [score(State.FAILED, "Forbidden")], 2) == {A}
    assert (since(known), known.counts(A)) == (1, Counts(failed=1))


@pytest.mark.parametrize("state", [State.PENDING, State.FAILED, State.CONFLICT])
def test_another_state_starts_anew(state: State) -> None:
    known = board(("team-a", State.SYNCED, 1), ("team-a", state, 2))
    assert since(known) == 2


def test_a_target_of_which_nobody_speaks_any_more_is_not_counted() -> None:
    known = board(("team-a", State.FAILED, 1))
    assert known.record(target(), [], 2) == {A}
    assert (known.counts(A), known.scores_at(target())) == (Counts(), ())
    assert known.record(target(), [], 3) == set()


def test_a_synced_target_that_waits_is_pending_since_then() -> None:
    known = board(("team-a", State.SYNCED, 1))
    assert known.mark_pending(target(), A, 2)
    assert (known.counts(A), since(known)) == (Counts(pending=1), 2)


def test_a_new_target_that_waits_is_pending_since_then() -> None:
    known = Scoreboard()
    assert known.mark_pending(target(), A, 2)
    assert (known.counts(A), since(known)) == (Counts(pending=1), 2)


@pytest.mark.parametrize("state", [State.PENDING, State.FAILED, State.CONFLICT])
def test_what_is_not_in_sync_stays_what_it_is_while_it_waits(state: State) -> None:
    known = board(("team-a", state, 1))
    assert not known.mark_pending(target(), A, 2)
    assert (known.scores_at(target())[0].state, since(known)) == (state, 1)


def test_a_claim_that_waits_does_not_touch_another_claim_on_the_target() -> None:
    both = Scoreboard()
    both.record(target(), [score(State.SYNCED), score(State.CONFLICT, sync=B)], 1)
    both.mark_pending(target(), A, 2)
    assert (both.counts(A), both.counts(B)) == (Counts(pending=1), Counts(conflicts=1))


def test_the_oldest_failures_come_first_conflicts_among_them() -> None:
    known = board(
        ("d", State.FAILED, 4), ("a", State.CONFLICT, 3), ("x", State.SYNCED, 0), ("c", State.FAILED, 1), ("b", State.CONFLICT, 2)
    )
    assert [(place.namespace, each.since) for place, each in known.failures(A, 10)] == [("c", 1), ("b", 2), ("a", 3), ("d", 4)]


def test_failures_of_one_moment_come_in_the_order_of_their_targets() -> None:
    known = board(("b", State.FAILED, 1), ("c", State.CONFLICT, 1), ("a", State.FAILED, 1))
    assert [place.namespace for place, _ in known.failures(A, 10)] == ["a", "b", "c"]


def test_no_more_failures_than_asked_for() -> None:
    known = board(*((f"ns-{number:02}", State.FAILED, number) for number in range(30)))
    assert [each.since for _, each in known.failures(A, 10)] == list(range(10))


def test_the_oldest_pending_stays_the_oldest_when_its_reason_changes() -> None:
    known = board(("a", State.PENDING, 1), ("b", State.PENDING, 2))
    known.record(target("a"), [score(State.PENDING, "Throttled")], 3)
    assert known.oldest_pending(A) == 1


def test_the_next_pending_is_the_oldest_when_the_first_is_done() -> None:
    known = board(("a", State.PENDING, 1), ("b", State.PENDING, 2), ("a", State.SYNCED, 3))
    assert known.oldest_pending(A) == 2


def test_what_is_not_in_sync_is_listed() -> None:
    known = board(("a", State.PENDING, 1), ("b", State.SYNCED, 1), ("c", State.FAILED, 1), ("d", State.CONFLICT, 1))
    assert {place.namespace for place in known.unsynced(A)} == {"a", "c", "d"}


@pytest.mark.parametrize("state", [State.FAILED, State.CONFLICT])
def test_a_failure_that_was_there_before_a_restart_keeps_its_time(state: State) -> None:
    known = Scoreboard()
    known.restore_since(A, target(), 1)
    known.mark_pending(target(), A, 100)
    assert since(known) == 100
    known.record(target(), [score(state)], 101)
    assert since(known) == 1


def test_a_failure_from_before_a_restart_that_healed_starts_anew() -> None:
    known = Scoreboard()
    known.restore_since(A, target(), 1)
    known.record(target(), [score(State.SYNCED)], 100)
    known.record(target(), [score(State.FAILED)], 101)
    assert since(known) == 101


def test_a_restored_time_is_that_of_one_claim_alone() -> None:
    known = Scoreboard()
    known.restore_since(A, target(), 1)
    known.record(target(), [score(State.FAILED, sync=B), score(State.FAILED)], 100)
    assert {each.sync: each.since for each in known.scores_at(target())} == {A: 1, B: 100}


def test_the_time_of_the_last_write_is_remembered() -> None:
    known = Scoreboard()
    assert known.written_at(A) == 0
    known.note_write(A, 5)
    assert (known.written_at(A), known.written_at(B)) == (5, 0)


def test_a_clustersync_without_targets_is_forgotten() -> None:
    known = board(("team-a", State.FAILED, 1))
    known.note_write(A, 1)
    known.forget(A)
    assert known.counts(A) == Counts(failed=1)
    known.record(target(), [], 2)
    known.forget(A)
    assert (list(known.syncs()), known.written_at(A)) == ([], 0)
