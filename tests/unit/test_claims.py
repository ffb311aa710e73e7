"""Who gets a target: claims, their namespace and what lies there, put together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clustersync.core.api import DeletionPolicy, Kind
from clustersync.core.claims import Claim, Decision, Place, Standing, Unsynced, decide
from clustersync.core.model import LOCAL, OPT_OUT_LABEL, Namespace, Replica, Target
from clustersync.core.plan import ConflictPolicy, Undecided, Unwanted, Verb, Wanted, plan
from clustersync.core.render import Rendered, Unusable
from tests.builders import SOURCE, TARGET, bare_replica, claim, cluster, foreign, namespace, rendered, replica

EDGE = cluster("edge")
MISSING = Unusable("SourceNotFound", "no such Secret", missing=True)
REFUSED = Unusable("RefusedType", "of no use elsewhere")
UNSYNCED = Unsynced.UNSYNCED


def place(target_namespace: Namespace | None = None, **fields: bool) -> Place:
    """The target team-a/registry on the edge cluster, in a namespace that the claims select."""
    return Place(EDGE, TARGET, target_namespace or namespace(), **fields)


def held(by: Claim) -> Replica:
    """The replica of a claim, as it made it."""
    return replica(by.content) if isinstance(by.content, Rendered) else bare_replica(by.sync)


def decided(*claims: Claim, owner: Claim | None = None, observed: Replica | None = None, at: Place | None = None) -> Decision:
    """Decide among claims, the oldest first; `owner` made what lies there, unless something else is observed."""
    return decide(at or place(), claims, owner, observed or (held(owner) if owner else None))


def standings(decision: Decision) -> dict[str, Standing]:
    return {each.sync: standing for each, standing in decision.standings}


OLD, YOUNG = claim("old"), claim("young")


def test_a_single_claim_holds() -> None:
    content = rendered()
    single = claim("old", content)
    decision = decided(single)
    assert decision.desired == Wanted(content)
    assert (decision.writable, decision.holder) == (True, single)
    assert standings(decision) == {"old": Standing.HOLDS}


def test_of_two_claims_the_first_holds_and_the_other_is_outranked() -> None:
    decision = decided(OLD, YOUNG)
    assert decision.holder is OLD
    assert standings(decision) == {"old": Standing.HOLDS, "young": Standing.OUTRANKED}


def test_the_older_claim_takes_over_what_the_younger_holds_without_a_recreation() -> None:
    decision = decided(OLD, YOUNG, owner=YOUNG)
    assert decision.holder is OLD
    assert plan(decision.desired, held(YOUNG)) is Verb.UPDATE


@pytest.mark.parametrize("policy", list(DeletionPolicy))
def test_an_heir_takes_over_without_a_recreation_when_the_winner_goes(policy: DeletionPolicy) -> None:
    leaving = replace(OLD, deleting=True, deletion_policy=policy)
    decision = decided(leaving, YOUNG, owner=leaving)
    assert decision.holder is YOUNG
    assert standings(decision) == {"young": Standing.HOLDS}
    assert plan(decision.desired, held(leaving)) is Verb.UPDATE


@pytest.mark.parametrize("problem", [MISSING, REFUSED], ids=["missing", "refused"])
def test_an_heir_without_a_usable_source_does_not_keep_the_replica_alive(problem: Unusable) -> None:
    leaving, heir = replace(OLD, deleting=True), claim("young", problem)
    decision = decided(leaving, heir, owner=leaving)
    assert decision.desired == Unwanted(DeletionPolicy.DELETE)
    assert standings(decision) == {"young": Standing.WAITS}


def test_while_the_content_of_an_heir_is_unknown_nothing_moves() -> None:
    leaving, heir = replace(OLD, deleting=True), claim("young", UNSYNCED)
    decision = decided(leaving, heir, owner=leaving)
    assert decision.desired is Undecided.UNKNOWN
    assert standings(decision) == {"young": Standing.WAITS}


def test_a_suspended_claim_keeps_what_it_holds_and_writes_nothing() -> None:
    suspended = claim("old", suspended=True)
    decision = decided(suspended, YOUNG, owner=suspended)
    assert (decision.holder, decision.writable) == (suspended, False)
    assert standings(decision) == {"old": Standing.HOLDS, "young": Standing.OUTRANKED}


@pytest.mark.parametrize("observed", [None, held(YOUNG), foreign()], ids=["nothing there", "held by the other", "foreign"])
def test_a_suspended_claim_blocks_no_target_that_it_does_not_hold(observed: Replica | None) -> None:
    suspended = claim("old", suspended=True)
    decision = decide(place(), [suspended, YOUNG], YOUNG if observed and observed.ours else None, observed)
    assert decision.holder is YOUNG
    assert standings(decision) == {"old": Standing.WAITS, "young": Standing.HOLDS}


def test_a_suspended_claim_alone_waits_and_nothing_is_created() -> None:
    decision = decided(claim("old", suspended=True))
    assert plan(decision.desired, None) is Verb.NOTHING
    assert standings(decision) == {"old": Standing.WAITS}


def test_an_older_claim_without_a_source_does_not_block_a_younger_one() -> None:
    decision = decided(claim("old", MISSING), YOUNG)
    assert decision.holder is YOUNG
    assert standings(decision) == {"old": Standing.WAITS, "young": Standing.HOLDS}


@pytest.mark.parametrize("problem", [MISSING, REFUSED], ids=["missing", "refused"])
def test_a_claim_whose_source_is_of_no_use_keeps_what_it_holds(problem: Unusable) -> None:
    old = claim("old", problem)
    decision = decided(old, YOUNG, owner=old)
    assert decision.desired is Undecided.HANDS_OFF
    assert standings(decision) == {"old": Standing.WAITS, "young": Standing.OUTRANKED}


def test_a_missing_source_removes_the_replicas_where_the_policy_says_so() -> None:
    old = claim("old", MISSING, drop_on_missing_source=True, deletion_policy=DeletionPolicy.RETAIN)
    decision = decided(old, owner=old)
    assert decision.desired == Unwanted(DeletionPolicy.DELETE)
    assert (decision.holder, decision.writable) == (old, True)
    assert standings(decision) == {"old": Standing.WAITS}


def test_a_missing_source_hands_the_replica_to_the_next_claim_where_the_policy_would_remove_it() -> None:
    old = claim("old", MISSING, drop_on_missing_source=True)
    decision = decided(old, YOUNG, owner=old)
    assert decision.holder is YOUNG
    assert plan(decision.desired, held(old)) is Verb.UPDATE


@pytest.mark.parametrize("others", [[], [YOUNG]], ids=["alone", "beside a younger claim"])
def test_a_source_that_is_there_but_of_no_use_removes_nothing_whatever_the_policy(others: list[Claim]) -> None:
    old = claim("old", REFUSED, drop_on_missing_source=True)
    decision = decided(old, *others, owner=old)
    assert decision.desired is Undecided.HANDS_OFF


def test_a_source_that_was_not_seen_yet_removes_nothing_whatever_the_policy() -> None:
    old = claim("old", UNSYNCED, drop_on_missing_source=True)
    assert decided(old, owner=old).desired is Undecided.UNKNOWN


@pytest.mark.parametrize("policy", list(DeletionPolicy))
def test_what_a_deleted_declaration_owns_goes_by_its_policy_whatever_its_source_is(policy: DeletionPolicy) -> None:
    for content in (None, MISSING, UNSYNCED):
        leaving = claim("old", content, deleting=True, deletion_policy=policy)
        decision = decided(leaving, owner=leaving)
        assert decision.desired == Unwanted(policy)
        assert (decision.holder, decision.writable, decision.standings) == (leaving, True, ())


@pytest.mark.parametrize("policy", list(DeletionPolicy))
def test_in_a_namespace_that_is_no_longer_selected_the_owner_s_policy_counts(policy: DeletionPolicy) -> None:
    owner = claim("old", deletion_policy=policy)
    decision = decided(owner, owner=owner, at=place(namespace(labels={"team": "b"})))
    assert decision.desired == Unwanted(policy)
    assert decision.standings == ()


def test_a_namespace_that_opted_out_counts_as_not_selected() -> None:
    out = place(namespace(labels={"team": "a", OPT_OUT_LABEL: "true"}))
    assert decided(OLD, at=out).standings == ()
    assert decided(OLD, owner=OLD, at=out).desired == Unwanted(DeletionPolicy.DELETE)


def test_a_namespace_that_opted_out_of_nothing_is_selected() -> None:
    assert decided(OLD, at=place(namespace(labels={"team": "a", OPT_OUT_LABEL: "false"}))).holder is OLD


def test_a_suspended_owner_removes_nothing() -> None:
    owner = claim("old", suspended=True)
    assert not decided(owner, owner=owner, at=place(namespace(labels={}))).writable


def test_a_replica_on_a_place_that_its_owner_does_not_claim_goes() -> None:
    decision = decided(owner=OLD)
    assert decision.desired == Unwanted(DeletionPolicy.DELETE)
    assert decision.holder is OLD


def test_an_orphan_stays() -> None:
    decision = decide(place(), [], None, held(OLD))
    assert decision.desired is Undecided.HANDS_OFF
    assert not decision.writable


def test_an_orphan_is_taken_over_by_a_claim_without_a_recreation() -> None:
    decision = decide(place(), [YOUNG], None, held(OLD))
    assert decision.holder is YOUNG
    assert plan(decision.desired, held(OLD)) is Verb.UPDATE


def test_a_foreign_object_that_names_the_claim_is_not_held_by_it() -> None:
    suspended = claim("old", suspended=True)
    decision = decide(place(), [suspended, YOUNG], suspended, bare_replica("old", ours=False))
    assert decision.holder is YOUNG


def test_what_our_delete_removed_is_held_by_nobody() -> None:
    suspended = claim("old", suspended=True)
    decision = decide(place(), [suspended, YOUNG], suspended, bare_replica("old", gone=True))
    assert decision.holder is YOUNG


HANDS_OFF: dict[str, Place] = {
    "a terminating namespace": place(namespace(terminating=True)),
    "a namespace that is gone": Place(EDGE, TARGET, None),
    "a protected namespace": place(protected=True),
    "a terminating namespace that is not selected": place(namespace(labels={}, terminating=True)),
}


@pytest.mark.parametrize("at", HANDS_OFF.values(), ids=HANDS_OFF.keys())
@pytest.mark.parametrize("owner", [None, OLD, replace(OLD, deleting=True)], ids=["nothing there", "held", "held by one that goes"])
def test_hands_off(at: Place, owner: Claim | None) -> None:
    decision = decided(*([owner] if owner else [OLD]), YOUNG, owner=owner, at=at)
    assert decision.desired is Undecided.HANDS_OFF
    assert (decision.writable, decision.holder, decision.standings) == (False, None, ())


SOURCE_NAMESPACE = namespace(SOURCE.namespace)
SOURCE_TARGET = Target(Kind.SECRET, SOURCE.namespace, SOURCE.name)


def test_the_source_itself_is_never_a_target() -> None:
    decision = decide(Place(LOCAL, SOURCE_TARGET, SOURCE_NAMESPACE), [OLD], None, None)
    assert plan(decision.desired, None) is Verb.NOTHING
    assert decision.standings == ()


def test_the_namespace_of_the_source_is_a_target_on_another_cluster() -> None:
    assert decide(Place(EDGE, SOURCE_TARGET, SOURCE_NAMESPACE), [OLD], None, None).holder is OLD


def test_the_namespace_of_the_source_is_a_target_under_another_name() -> None:
    renamed = claim("old", target_name="other")
    target = SOURCE_TARGET._replace(name="other")
    assert decide(Place(LOCAL, target, SOURCE_NAMESPACE), [renamed], None, None).holder is renamed


@pytest.mark.parametrize("policy", list(ConflictPolicy))
def test_an_unmarked_object_that_is_itself_a_source_stays_whatever_the_policy(policy: ConflictPolicy) -> None:
    decision = decide(place(is_source=True), [claim("old", conflict_policy=policy)], None, foreign())
    assert plan(decision.desired, foreign()) is Verb.CONFLICT


def test_a_replica_of_ours_that_somebody_declared_a_source_is_still_kept_true() -> None:
    drifted = bare_replica("old", digest=b"drifted")
    decision = decided(OLD, owner=OLD, observed=drifted, at=place(is_source=True))
    assert plan(decision.desired, drifted) is Verb.UPDATE


@pytest.mark.parametrize("writable", [True, False])
def test_a_claim_without_its_finalizer_may_not_write(writable: bool) -> None:
    assert decided(claim("old", writable=writable)).writable is writable
