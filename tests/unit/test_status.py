"""What people read: the conditions, counts and times of each situation of the design's sections 5 and 10."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from clustersync.core.api_status import MAX_FAILURES, ClusterSyncStatus
from clustersync.core.claims import Unsynced
from clustersync.core.model import SyncName, Target
from clustersync.core.render import Unusable
from clustersync.core.scoreboard import Counts, Score, State
from clustersync.core.snapshot import PENDING_GRACE_SECONDS, ClusterView, Snapshot
from clustersync.core.status import MESSAGE_CHARACTERS, compute, failing_since, stored_status
from tests.builders import TARGET, cluster, declaration, rendered

NOW = 1_800_000_000.0
MISSING = Unusable("SourceNotFound", "Secret platform/registry does not exist; create it, or correct spec.source", missing=True)
REFUSED = Unusable("RefusedType", "Secret platform/registry has type helm.sh/release.v1, which is of no use elsewhere")
FORBIDDEN = Unusable("SourceUnreadable", "Secret platform/registry cannot be read: forbidden")

NEVER = ClusterSyncStatus()


def view(name: str = "local", **fields: Any) -> ClusterView:
    """A cluster that is well; `fields` are counts by name, and what else is to say of it."""
    counts = {key: fields.pop(key) for key in ("synced", "pending", "failed", "conflicts") if key in fields}
    return ClusterView(cluster(name), Counts(**counts), **fields)


def snapshot(*views: ClusterView, **fields: Any) -> Snapshot:
    """A ClusterSync of generation 4 whose source is well."""
    values: dict[str, Any] = {
        "declaration": declaration(generation=4),
        "content": rendered(),
        "clusters": views or (view(synced=50),),
        "failures": (),
        "oldest_pending": None,
        "written_at": 0.0,
        "now": NOW,
    }
    return Snapshot(**(values | fields))


def failure(message: str = "exceeded quota", state: State = State.FAILED, since: float = NOW - 60) -> Any:
    return cluster("local"), TARGET, Score(SyncName("registry"), state, "Forbidden", message, since)


IN_SYNC = compute(snapshot(), NEVER)
"""The status of generation 4 with everything in sync."""

WAITING = {"oldest_pending": NOW - 60}
JUST_NOW = {"oldest_pending": NOW - PENDING_GRACE_SECONDS + 0.1}
SUSPENDED = {"declaration": declaration(spec={"suspend": True}, generation=4)}
INVALID = {"declaration": replace(declaration(generation=4), spec=None, invalid="spec.source: missing"), "content": Unsynced.UNSYNCED}
UNREACHABLE = {"reachable": False, "problem": "ClusterUnreachable", "message": "cannot be reached: connection refused"}
UNREGISTERED = {"reachable": False, "problem": "ClusterNotRegistered", "message": "is not registered; create a Secret"}
REJECTED = {"reachable": False, "problem": "RegistrationRefused", "message": "registration refused: users[0].exec", "stalled": True}
DELETED = {"declaration": declaration(generation=5, deleting=True)}


def conditions(status: ClusterSyncStatus) -> dict[str, str]:
    """Each condition as `status reason`."""
    return {each.type: f"{each.status} {each.reason}" for each in status.conditions}


def message(status: ClusterSyncStatus, type_: str) -> str:
    return next(each.message for each in status.conditions if each.type == type_)


ALL_WELL = {
    "Ready": "True AllSynced",
    "SourceReady": "True SourceFound",
    "ClustersReady": "True AllReachable",
    "ReplicasReady": "True AllSynced",
}
PROGRESSING = {"Ready": "Unknown Progressing", "ReplicasReady": "Unknown Progressing", "Reconciling": "True Progressing"}

# What is seen, the status before, and how the conditions differ from all being well.
SITUATIONS: dict[str, tuple[Snapshot, ClusterSyncStatus, dict[str, str]]] = {
    "everything in sync": (snapshot(), IN_SYNC, {}),
    "everything in sync at first sight": (snapshot(), NEVER, {}),
    "nothing matches": (snapshot(view()), NEVER, {}),
    "no cluster matches": (snapshot(clusters=()), NEVER, {"ClustersReady": "True NoClusters"}),
    # The source
    "the source is missing": (
        snapshot(view(pending=3), content=MISSING, **WAITING),
        IN_SYNC,
        {"Ready": "False SourceNotFound", "SourceReady": "False SourceNotFound", "ReplicasReady": "False SourceNotReady"},
    ),
    "the source is missing and nothing matches": (
        snapshot(view(), content=MISSING),
        IN_SYNC,
        {"Ready": "False SourceNotFound", "SourceReady": "False SourceNotFound"},
    ),
    "the source is missing from the start": (
        snapshot(view(pending=3), content=MISSING, **JUST_NOW),
        NEVER,
        {"Ready": "False SourceNotFound", "SourceReady": "False SourceNotFound", "ReplicasReady": "False SourceNotReady"},
    ),
    "the source has a refused type": (
        snapshot(view(pending=3), content=REFUSED, **WAITING),
        IN_SYNC,
        {
            "Ready": "False RefusedType",
            "SourceReady": "False RefusedType",
            "ReplicasReady": "False SourceNotReady",
            "Stalled": "True RefusedType",
        },
    ),
    "the source cannot be read": (
        snapshot(view(synced=3), content=FORBIDDEN),
        IN_SYNC,
        {"Ready": "False SourceUnreadable", "SourceReady": "False SourceUnreadable", "Stalled": "True SourceUnreadable"},
    ),
    "the source has not been seen yet": (
        snapshot(view(pending=3), content=Unsynced.UNSYNCED, **JUST_NOW),
        NEVER,
        PROGRESSING | {"SourceReady": "Unknown SourceUnsynced", "Ready": "Unknown SourceUnsynced"},
    ),
    # Clusters
    "a cluster is unreachable": (
        snapshot(view(synced=1), view("edge", synced=2, **UNREACHABLE)),
        IN_SYNC,
        {"Ready": "False ClusterUnreachable", "ClustersReady": "False ClusterUnreachable"},
    ),
    "a cluster is unreachable and something changed for it": (
        snapshot(view(synced=1), view("edge", synced=2, settled=False, **UNREACHABLE)),
        IN_SYNC,
        {
            "Ready": "False ClusterUnreachable",
            "ClustersReady": "False ClusterUnreachable",
            "ReplicasReady": "False Pending",
            "Reconciling": "True Progressing",
        },
    ),
    "a cluster is unreachable while a generation is rolled out": (
        snapshot(view(synced=1), view("edge", synced=2, settled=False, **UNREACHABLE)),
        NEVER,
        {
            "Ready": "False ClusterUnreachable",
            "ClustersReady": "False ClusterUnreachable",
            "ReplicasReady": "Unknown Progressing",
            "Reconciling": "True Progressing",
        },
    ),
    "a cluster is not registered": (
        snapshot(view(synced=1), view("edge", **UNREGISTERED)),
        NEVER,
        {"Ready": "False ClusterNotRegistered", "ClustersReady": "False ClusterNotRegistered"},
    ),
    "a registration is refused": (
        snapshot(view(synced=1), view("edge", **REJECTED)),
        IN_SYNC,
        {
            "Ready": "False RegistrationRefused",
            "ClustersReady": "False RegistrationRefused",
            "Stalled": "True RegistrationRefused",
        },
    ),
    "a cluster is being connected": (
        snapshot(view(synced=1), view("edge", reachable=None, settled=False)),
        NEVER,
        {"Ready": "Unknown Connecting", "ClustersReady": "Unknown Connecting", "Reconciling": "True Progressing"},
    ),
    # Replicas
    "a target fails": (
        snapshot(view(synced=49, failed=1), failures=[failure()]),
        IN_SYNC,
        {"Ready": "False TargetFailed", "ReplicasReady": "False TargetFailed"},
    ),
    "a target is in conflict": (
        snapshot(view(synced=49, conflicts=1), failures=[failure(state=State.CONFLICT)]),
        IN_SYNC,
        {"Ready": "False Conflict", "ReplicasReady": "False Conflict", "Stalled": "True Conflict"},
    ),
    "one fails and one is in conflict": (
        snapshot(view(synced=48, failed=1, conflicts=1)),
        IN_SYNC,
        {"Ready": "False TargetFailed", "ReplicasReady": "False TargetFailed", "Stalled": "True Conflict"},
    ),
    "a target has been pending for a moment": (snapshot(view(synced=49, pending=1), **JUST_NOW), IN_SYNC, {}),
    "a target has been pending for long": (
        snapshot(view(synced=49, pending=1), oldest_pending=NOW - PENDING_GRACE_SECONDS),
        IN_SYNC,
        {"Ready": "False Pending", "ReplicasReady": "False Pending", "Reconciling": "True Progressing"},
    ),
    "a change has not reached all yet, after all were in sync": (snapshot(view(synced=50, settled=False)), IN_SYNC, {}),
    "a change has not reached all yet, after they were not in sync": (
        snapshot(view(synced=50, settled=False)),
        compute(snapshot(view(pending=50), content=MISSING), IN_SYNC),
        PROGRESSING,
    ),
    "targets have been pending for a moment, after they were not in sync": (
        snapshot(view(synced=10, pending=40), **JUST_NOW),
        compute(snapshot(view(pending=50), content=MISSING), IN_SYNC),
        PROGRESSING,
    ),
    # A change of the spec
    "a new generation before its first look": (
        snapshot(view(synced=50, settled=False), declaration=declaration(generation=5)),
        IN_SYNC,
        PROGRESSING,
    ),
    "a new generation on its way": (
        snapshot(view(synced=10, pending=40), declaration=declaration(generation=5), **JUST_NOW),
        IN_SYNC,
        PROGRESSING,
    ),
    "a new generation on its way for long": (
        snapshot(view(synced=10, pending=40), declaration=declaration(generation=5), **WAITING),
        IN_SYNC,
        PROGRESSING,
    ),
    "a new generation of which some fail on its way": (
        snapshot(view(synced=10, pending=39, failed=1), declaration=declaration(generation=5), **JUST_NOW),
        IN_SYNC,
        PROGRESSING,
    ),
    "a new generation of which some failed, all others done": (
        snapshot(view(synced=49, failed=1), declaration=declaration(generation=5)),
        IN_SYNC,
        {"Ready": "False TargetFailed", "ReplicasReady": "False TargetFailed"},
    ),
    "a new generation that changes nothing": (snapshot(declaration=declaration(generation=5)), IN_SYNC, {}),
    # What a person decided
    "suspended and in sync": (snapshot(**SUSPENDED), IN_SYNC, {"Suspended": "True Suspended"}),
    "suspended with writes due": (
        snapshot(view(synced=49, pending=1), **SUSPENDED, **WAITING),
        IN_SYNC,
        {"Ready": "False Suspended", "ReplicasReady": "False Suspended", "Suspended": "True Suspended"},
    ),
    "suspended with writes due for a moment": (
        snapshot(view(synced=49, pending=1), **SUSPENDED, **JUST_NOW),
        NEVER,
        {"Ready": "False Suspended", "ReplicasReady": "False Suspended", "Suspended": "True Suspended"},
    ),
    "a spec that does not parse": (
        snapshot(clusters=(), **INVALID),
        IN_SYNC,
        {
            "Ready": "False InvalidSpec",
            "SourceReady": "Unknown InvalidSpec",
            "ClustersReady": "Unknown InvalidSpec",
            "ReplicasReady": "Unknown InvalidSpec",
            "Stalled": "True InvalidSpec",
        },
    ),
    "deleted, with replicas on their way out": (
        snapshot(view(), **DELETED),
        IN_SYNC,
        {"Ready": "Unknown Deleting", "ReplicasReady": "Unknown Deleting", "Reconciling": "True Progressing"},
    ),
    "deleted while its source is missing": (
        snapshot(view(), content=MISSING, **DELETED),
        IN_SYNC,
        {
            "Ready": "Unknown Deleting",
            "SourceReady": "False SourceNotFound",
            "ReplicasReady": "Unknown Deleting",
            "Reconciling": "True Progressing",
        },
    ),
    "deleted, with a removal refused": (
        snapshot(view(failed=1), **DELETED),
        IN_SYNC,
        {"Ready": "False TargetFailed", "ReplicasReady": "False TargetFailed"},
    ),
    "deleted, with a cluster out of reach": (
        snapshot(view(), view("edge", **UNREACHABLE), cleanup_blocked="edge: cannot be reached", **DELETED),
        IN_SYNC,
        {
            "Ready": "False CleanupBlocked",
            "ClustersReady": "False ClusterUnreachable",
            "ReplicasReady": "Unknown Deleting",
            "Reconciling": "True Progressing",
        },
    ),
}

situations = pytest.mark.parametrize(("seen", "before", "differs"), SITUATIONS.values(), ids=SITUATIONS.keys())


@situations
def test_conditions(seen: Snapshot, before: ClusterSyncStatus, differs: dict[str, str]) -> None:
    assert conditions(compute(seen, before)) == ALL_WELL | differs


@situations
def test_a_second_look_at_the_same_says_the_same(seen: Snapshot, before: ClusterSyncStatus, differs: dict[str, str]) -> None:
    """Also after the status went through the API server, and some time later: no write when nothing changed."""
    once = compute(seen, before)
    assert compute(seen, once) == once
    stored = ClusterSyncStatus.model_validate(orjson.loads(orjson.dumps(once.model_dump(mode="json", by_alias=True, exclude_none=True))))
    assert stored == once
    moved = replace(seen, now=seen.now + 1000, oldest_pending=seen.oldest_pending and seen.oldest_pending + 1000)
    assert compute(moved, stored) == once


@situations
def test_a_status_speaks_about_its_generation(seen: Snapshot, before: ClusterSyncStatus, differs: dict[str, str]) -> None:
    status = compute(seen, before)
    assert {status.observed_generation, *(each.observed_generation for each in status.conditions)} == {seen.declaration.generation}


@situations
def test_ready_is_the_conjunction_of_its_parts(seen: Snapshot, before: ClusterSyncStatus, differs: dict[str, str]) -> None:
    status = conditions(compute(seen, before))
    parts = [status[type_].split()[0] for type_ in ("SourceReady", "ClustersReady", "ReplicasReady")]
    assert status["Ready"].startswith("True") is (parts == ["True"] * 3)


@situations
def test_every_condition_says_something(seen: Snapshot, before: ClusterSyncStatus, differs: dict[str, str]) -> None:
    assert all(each.message for each in compute(seen, before).conditions)


# Counts ----------------------------------------------------------------------


def test_counts_are_summed_over_the_clusters_and_shown_for_each_in_order() -> None:
    status = compute(snapshot(view("local", synced=2, failed=1), view("edge", synced=3, pending=4, conflicts=5), **JUST_NOW), NEVER)
    assert (status.summary, status.desired, status.synced, status.pending, status.failed, status.conflicts) == ("5/15", 15, 5, 4, 1, 5)
    assert [(row.name, row.desired, row.synced) for row in status.clusters] == [("edge", 12, 3), ("local", 3, 2)]
    assert (status.clusters_ready, status.source, status.sources) == ("2/2", "Secret platform/registry", 1)


@pytest.mark.parametrize(
    ("content", "sources"), [(MISSING, 0), (REFUSED, 1), (Unsynced.UNSYNCED, 0)], ids=["missing", "there, but refused", "not seen"]
)
def test_a_source_counts_when_it_exists(content: Unusable | Unsynced, sources: int) -> None:
    assert compute(snapshot(content=content), NEVER).sources == sources


def test_on_an_unreachable_cluster_nothing_fails_it_is_pending() -> None:
    row = compute(snapshot(view("edge", synced=2, failed=3, pending=4, conflicts=1, **UNREACHABLE)), NEVER).clusters[0]
    assert (row.reachable, row.desired, row.synced, row.pending, row.failed, row.conflicts) == (False, 10, 2, 7, 0, 1)


def test_what_changed_while_a_cluster_is_unreachable_is_not_in_sync_there() -> None:
    status = compute(snapshot(view(synced=5), view("edge", synced=5, settled=False, **UNREACHABLE)), IN_SYNC)
    assert (status.summary, status.pending) == ("5/10", 5)


def test_reachable_clusters_are_counted() -> None:
    views = (view("a"), view("b", **UNREACHABLE), view("c", reachable=None), view("d", **REJECTED))
    assert compute(snapshot(*views), NEVER).clusters_ready == "1/4"


def test_the_row_of_a_cluster_says_why_it_is_not_reachable() -> None:
    rows = compute(snapshot(view("a"), view("b", **UNREACHABLE), view("c", reachable=None)), NEVER).clusters
    assert {row.name: row.message for row in rows} == {"a": "", "b": "cannot be reached: connection refused", "c": "connecting"}


# Messages --------------------------------------------------------------------


def test_a_pending_target_that_does_not_change_ready_is_still_named() -> None:
    status = compute(snapshot(view(synced=49, pending=1), **JUST_NOW), IN_SYNC)
    assert message(status, "Ready") == "49 of 50 replicas in sync, 1 pending"


def test_the_message_of_a_failure_gives_an_example() -> None:
    status = compute(snapshot(view(synced=48, failed=2), failures=[failure("exceeded quota: few")]), IN_SYNC)
    assert message(status, "Ready") == (
        "48 of 50 replicas in sync, 2 failing; for example Secret team-a/registry on local: exceeded quota: few"
    )


def test_one_replica_is_spoken_of_as_one() -> None:
    assert message(compute(snapshot(view(synced=1)), NEVER), "ReplicasReady") == "1 replica in sync"


def test_many_unreachable_clusters_are_counted_after_the_first() -> None:
    status = compute(snapshot(*(view(f"edge-{number}", **UNREACHABLE) for number in range(9))), NEVER)
    assert message(status, "ClustersReady").count("connection refused") == 3
    assert message(status, "ClustersReady").endswith("; and 6 more")


def test_many_connecting_clusters_are_counted_after_the_first() -> None:
    status = compute(snapshot(*(view(f"edge-{number:02}", reachable=None) for number in range(12))), NEVER)
    assert message(status, "ClustersReady").startswith("connecting to edge-00, edge-01,")
    assert message(status, "ClustersReady").endswith("; and 2 more")


# Times -----------------------------------------------------------------------


def transition(status: ClusterSyncStatus, type_: str) -> datetime:
    return next(each.last_transition_time for each in status.conditions if each.type == type_)


def at(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    failing = compute(snapshot(view(failed=1)), IN_SYNC)
    later = compute(snapshot(view(conflicts=1), now=NOW + 100), failing)
    assert conditions(failing)["Ready"] != conditions(later)["Ready"]
    assert transition(later, "Ready") == transition(failing, "Ready") == at(NOW)


def test_a_condition_that_turns_has_the_time_of_its_turn() -> None:
    failing = compute(snapshot(view(failed=1), now=NOW + 100), IN_SYNC)
    assert transition(failing, "Ready") == at(NOW + 100)
    assert transition(failing, "SourceReady") == at(NOW)


def test_times_are_whole_seconds_as_the_api_server_keeps_them() -> None:
    assert transition(compute(snapshot(now=NOW + 0.75), NEVER), "Ready") == at(NOW)


SYNC_TIMES: dict[str, tuple[Snapshot, datetime | None]] = {
    "a write that brought all in sync counts": (snapshot(written_at=NOW - 1), at(NOW - 1)),
    "a write that removed the last replica counts": (snapshot(view(), written_at=NOW - 1), at(NOW - 1)),
    "without a write since the start nothing changes": (snapshot(), at(NOW - 9)),
    "while one is pending nothing changes": (snapshot(view(synced=1, pending=1), written_at=NOW - 1, **JUST_NOW), at(NOW - 9)),
    "while one fails nothing changes": (snapshot(view(synced=1, failed=1), written_at=NOW - 1), at(NOW - 9)),
    "while one is in conflict nothing changes": (snapshot(view(synced=1, conflicts=1), written_at=NOW - 1), at(NOW - 9)),
    "before all had a look nothing changes": (snapshot(view(synced=1, settled=False), written_at=NOW - 1), at(NOW - 9)),
    "while a cluster is out of reach nothing changes": (
        snapshot(view(synced=1), view("edge", synced=1, **UNREACHABLE), written_at=NOW - 1),
        at(NOW - 9),
    ),
    "while a cluster is being connected nothing changes": (
        snapshot(view(synced=1), view("edge", reachable=None), written_at=NOW - 1),
        at(NOW - 9),
    ),
}


@pytest.mark.parametrize(("seen", "expected"), SYNC_TIMES.values(), ids=SYNC_TIMES.keys())
def test_the_last_sync_time(seen: Snapshot, expected: datetime) -> None:
    before = compute(snapshot(written_at=NOW - 9), NEVER)
    assert compute(seen, before).last_sync_time == expected


def test_there_is_no_last_sync_time_before_the_first() -> None:
    assert compute(snapshot(view(pending=1), **JUST_NOW), NEVER).last_sync_time is None


# How it goes on --------------------------------------------------------------


def story(*chapters: Snapshot, before: ClusterSyncStatus = NEVER) -> list[str]:
    """What Ready said after each of these, one after the other."""
    told = []
    for chapter in chapters:
        before = compute(chapter, before)
        told.append(conditions(before)["Ready"])
    return told


def test_a_rollout_is_unknown_until_it_is_done_and_then_ready() -> None:
    said = story(
        snapshot(view(settled=False)),
        snapshot(view(synced=10, pending=40), **JUST_NOW),
        snapshot(view(synced=30, pending=20), oldest_pending=NOW - 30),
        snapshot(view(synced=50)),
    )
    assert said == ["Unknown Progressing"] * 3 + ["True AllSynced"]


def test_a_source_that_comes_late_is_rolled_out_without_a_word_of_being_ready_before() -> None:
    said = story(
        snapshot(view(pending=50), content=MISSING, **JUST_NOW),
        snapshot(view(pending=50, settled=False), **JUST_NOW),
        snapshot(view(synced=10, pending=40), **JUST_NOW),
        snapshot(view(synced=50)),
    )
    assert said == ["False SourceNotFound", "Unknown Progressing", "Unknown Progressing", "True AllSynced"]


def test_a_rotation_that_is_done_in_a_moment_does_not_touch_ready() -> None:
    said = story(
        snapshot(view(synced=50, settled=False)),
        snapshot(view(synced=10, pending=40), **JUST_NOW),
        snapshot(view(synced=50)),
        before=IN_SYNC,
    )
    assert said == ["True AllSynced"] * 3


def test_new_namespaces_all_the_time_do_not_touch_ready() -> None:
    chapters = [snapshot(view(synced=50 + number, pending=number % 2), **JUST_NOW) for number in range(6)]
    assert story(*chapters, before=IN_SYNC) == ["True AllSynced"] * 6


def test_a_failure_is_told_again_when_a_rollout_is_done() -> None:
    said = story(
        snapshot(view(synced=10, pending=39, failed=1), **JUST_NOW),
        snapshot(view(synced=49, failed=1)),
        snapshot(view(synced=50)),
    )
    assert said == ["Unknown Progressing", "False TargetFailed", "True AllSynced"]


def test_a_cluster_that_goes_and_comes_back_leaves_the_rest_ready() -> None:
    away = snapshot(view(synced=1), view("edge", synced=2, **UNREACHABLE))
    back = snapshot(view(synced=1), view("edge", synced=2))
    assert story(away, back, before=IN_SYNC) == ["False ClusterUnreachable", "True AllSynced"]


def test_a_rollout_goes_on_when_its_cluster_comes_back() -> None:
    said = story(
        snapshot(view(synced=1), view("edge", synced=2, settled=False, **UNREACHABLE)),
        snapshot(view(synced=1), view("edge", synced=2, settled=False)),
        snapshot(view(synced=1), view("edge", synced=1, pending=1), **JUST_NOW),
        snapshot(view(synced=1), view("edge", synced=2)),
    )
    assert said == ["False ClusterUnreachable", "Unknown Progressing", "Unknown Progressing", "True AllSynced"]


# Size ------------------------------------------------------------------------


def test_at_most_ten_failures_are_shown_the_first_ones() -> None:
    failures = [failure(since=NOW - 100 + number) for number in range(30)]
    rows = compute(snapshot(view(failed=30), failures=failures), NEVER).failures
    assert [row.since for row in rows] == [at(NOW - 100 + number) for number in range(MAX_FAILURES)]


def test_a_failure_row_names_the_place_the_cause_and_the_time() -> None:
    row = compute(snapshot(view(failed=1), failures=[failure("exceeded quota")]), NEVER).failures[0]
    assert (row.cluster, row.namespace, row.name, row.reason, row.message) == (
        "local", "team-a", "registry", "Forbidden", "exceeded quota",
    )  # fmt: skip
    assert row.since == at(NOW - 60)


def test_a_status_does_not_grow_with_what_others_say() -> None:
    long = "x\x00\n" * 100_000
    invalid = replace(declaration(), spec=None, invalid=long)
    views = [view(f"edge-{number}", failed=1, reachable=False, problem="ClusterUnreachable", message=long) for number in range(3)]
    for seen in (
        snapshot(*views, failures=[failure(long)] * 10),
        snapshot(content=Unusable("SourceUnreadable", long)),
        snapshot(declaration=invalid, content=Unsynced.UNSYNCED),
        snapshot(cleanup_blocked=long, **DELETED),
    ):
        status = compute(seen, NEVER)
        texts = [each.message for each in status.conditions] + [each.message for each in status.failures]
        texts += [each.message for each in status.clusters]
        assert max(map(len, texts)) <= MESSAGE_CHARACTERS
        assert not any("\x00" in text or "\n" in text for text in texts)


def test_a_status_of_ten_thousand_namespaces_is_no_larger_than_one_of_ten() -> None:
    sizes = [
        len(compute(snapshot(view(synced=number, failed=number), failures=[failure()] * 10), NEVER).model_dump_json())
        for number in (10_000, 10)
    ]
    assert abs(sizes[0] - sizes[1]) < 100


# What was stored -------------------------------------------------------------


def dumped(status: ClusterSyncStatus) -> dict[str, Any]:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def test_a_stored_status_is_read_back_as_it_was() -> None:
    assert stored_status(declaration(status=dumped(IN_SYNC))) == IN_SYNC


def test_a_stored_status_that_does_not_parse_counts_as_none() -> None:
    assert stored_status(declaration(status={"desired": "many"})) == ClusterSyncStatus()


def test_the_failures_of_a_stored_status_keep_their_times() -> None:
    other = (cluster("edge"), Target(TARGET.kind, "team-b", "registry"), Score(SyncName("registry"), State.CONFLICT, "Conflict", "", NOW))
    status = compute(snapshot(view(failed=1), view("edge", conflicts=1), failures=[failure(since=NOW - 60), other]), NEVER)
    stored = declaration(status=dumped(status))
    assert list(failing_since(stored, cluster("local"))) == [(TARGET, NOW - 60)]
    assert list(failing_since(stored, cluster("edge"))) == [(other[1], NOW)]
    assert list(failing_since(stored, cluster("far"))) == []


def test_a_declaration_that_does_not_parse_has_no_failures_to_remember() -> None:
    assert list(failing_since(replace(declaration(), spec=None), cluster("local"))) == []
