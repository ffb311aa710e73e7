"""The catalog after any sequence of changes against one filled from scratch: same answers, and each change told of all it moved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from clustersync.core.api import Kind
from clustersync.core.catalog import Catalog, Declaration, FanOut
from clustersync.core.claims import Claim, Content
from clustersync.core.model import LOCAL, ClusterName, Source, SourceKey, SyncName
from clustersync.core.render import Rendered
from tests.builders import HUB, declaration, source

CLUSTERS = [LOCAL, ClusterName("edge"), ClusterName("far")]
SYNCS = [SyncName(name) for name in ("a", "b", "c")]
SOURCES = [SourceKey(LOCAL, kind, "platform", name) for kind in Kind for name in ("registry", "other")]
CREATED = {"first": "2026-01-01T00:00:00Z", "second": "2026-01-02T00:00:00Z"}
"""When an object of this uid was created: no object changes its age."""

TERMS: list[dict[str, Any]] = [
    {"name": "local"},
    {"name": "edge"},
    {"name": "unregistered"},
    {"selector": {}},
    {"selector": {"matchLabels": {"env": "prod"}}},
]


@st.composite
def declarations(draw: st.DrawFn) -> Declaration:
    key = draw(st.sampled_from(SOURCES))
    spec = {
        "source": {"kind": key.kind, "namespace": key.namespace, "name": key.name},
        "clusters": draw(st.lists(st.sampled_from(TERMS), min_size=1, max_size=3)),
        "suspend": draw(st.booleans()),
    }
    uid = draw(st.sampled_from(sorted(CREATED)))
    fields: dict[str, Any] = {"uid": uid, "created": CREATED[uid], "deleting": draw(st.booleans()), "generation": draw(st.integers(1, 3))}
    declared = declaration(draw(st.sampled_from(SYNCS)), spec, **fields)
    return replace(declared, spec=None, invalid="spec.source: wrong") if draw(st.integers(0, 5)) == 0 else declared


def described(content: Content) -> Any:
    return (content.digest, content.labels, content.annotations) if isinstance(content, Rendered) else content


def claim_as_seen(claim: Claim) -> Any:
    """What a claim says, comparable: its selector is a closure, its content compares by identity."""
    fields = (claim.sync, claim.seniority, claim.source, claim.target_name, claim.deletion_policy, claim.drop_on_missing_source)
    return *fields, claim.deleting, claim.suspended, claim.writable, described(claim.content)


def view(catalog: Catalog, sync: SyncName, cluster: ClusterName) -> Any:
    """What a catalog says about one declaration on one cluster."""
    return [claim_as_seen(claim) for claim in catalog.claims_on(cluster) if claim.sync == sync]


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.catalog = Catalog(HUB)
        self.declared: dict[SyncName, Declaration] = {}
        self.labels: dict[ClusterName, dict[str, str]] = {}
        self.sources: dict[SourceKey, Source | None] = {}

    def seen(self) -> dict[FanOut, Any]:
        names = [*CLUSTERS, ClusterName("unregistered")]
        return {FanOut(cluster, sync): view(self.catalog, sync, cluster) for cluster in names for sync in SYNCS}

    def judge(self, before: dict[FanOut, Any], fan_outs: set[FanOut]) -> None:
        """Whatever moved was told; what was told speaks of a cluster that was or is a target."""
        after = self.seen()
        assert {each for each in before if before[each] != after[each]} <= fan_outs
        assert all(before[each] or after[each] for each in fan_outs)

    @rule(declared=declarations())
    def declare(self, declared: Declaration) -> None:
        before = self.seen()
        known = self.declared.get(declared.name)
        self.declared[declared.name] = declared
        fan_outs = self.catalog.put_declaration(declared)
        if known is not None and known.acts_like(declared):
            assert fan_outs == set()
        self.forget_unnamed()
        self.judge(before, fan_outs)

    @rule(sync=st.sampled_from(SYNCS))
    def drop(self, sync: SyncName) -> None:
        before = self.seen()
        self.declared.pop(sync, None)
        fan_outs = self.catalog.drop_declaration(sync)
        self.forget_unnamed()
        self.judge(before, fan_outs)

    @rule(key=st.sampled_from(SOURCES), value=st.none() | st.sampled_from([b"one", b"two"]))
    def see_source(self, key: SourceKey, value: bytes | None) -> None:
        before = self.seen()
        seen = None if value is None else source({"password": value}, key=key)
        if key in self.named():
            self.sources[key] = seen
        self.judge(before, self.catalog.put_source(key, seen))

    @rule(cluster=st.sampled_from(CLUSTERS), labels=st.sampled_from([{}, {"env": "prod"}, {"env": "dev"}]))
    def register(self, cluster: ClusterName, labels: dict[str, str]) -> None:
        before = self.seen()
        self.labels[cluster] = labels
        self.judge(before, self.catalog.put_cluster(cluster, labels))

    @rule(cluster=st.sampled_from(CLUSTERS))
    def unregister(self, cluster: ClusterName) -> None:
        before = self.seen()
        self.labels.pop(cluster, None)
        self.judge(before, self.catalog.drop_cluster(cluster))

    def named(self) -> set[SourceKey]:
        return {key for each in self.declared.values() if (key := each.source_key) is not None}

    def forget_unnamed(self) -> None:
        self.sources = {key: seen for key, seen in self.sources.items() if key in self.named()}

    @invariant()
    def equals_one_filled_from_scratch(self) -> None:
        fresh = Catalog(HUB)
        for cluster, labels in self.labels.items():
            fresh.put_cluster(cluster, labels)
        for declared in self.declared.values():
            fresh.put_declaration(declared)
        for key, seen in self.sources.items():
            fresh.put_source(key, seen)
        assert self.catalog.source_keys() == fresh.source_keys() == self.named()
        for sync in SYNCS:
            assert self.catalog.target_clusters(sync) == fresh.target_clusters(sync)
        for cluster in [*CLUSTERS, ClusterName("unregistered")]:
            for key in SOURCES:
                ours, theirs = (each.claims_at(cluster, key.kind, key.name) for each in (self.catalog, fresh))
                assert [claim_as_seen(claim) for claim in ours] == [claim_as_seen(claim) for claim in theirs]
            assert {claim.sync for claim in self.catalog.claims_on(cluster)} == {claim.sync for claim in fresh.claims_on(cluster)}


TestHistories = Histories.TestCase


@given(st.lists(declarations(), max_size=4))
def test_what_was_dropped_leaves_nothing_behind(declared: list[Declaration]) -> None:
    catalog = Catalog(HUB)
    for each in declared:
        catalog.put_declaration(each)
    for sync in SYNCS:
        catalog.drop_declaration(sync)
    assert (list(catalog.declarations()), catalog.source_keys()) == ([], set())
    assert all(not list(catalog.claims_on(cluster)) for cluster in CLUSTERS)
