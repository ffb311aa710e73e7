"""What each change of declarations, clusters and sources causes: exactly the fan-outs that may change something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clustersync.core.api import DeletionPolicy, Kind
from clustersync.core.catalog import Catalog, Declaration
from clustersync.core.claims import Claim, Unsynced
from clustersync.core.model import LOCAL, ClusterName, SourceKey, SyncName
from clustersync.core.render import Rendered, Unusable
from tests.builders import HUB, SOURCE, SYNC, cluster, clusters, declaration, source

OTHER_SOURCE = SourceKey(LOCAL, Kind.SECRET, "platform", "other")
PROD = {"selector": {"matchLabels": {"env": "prod"}}}


def catalog(*declarations: Declaration, **labels: dict[str, str]) -> Catalog:
    """A catalog with these declarations, the local cluster, and clusters with these labels."""
    filled = Catalog(HUB)
    filled.put_cluster(LOCAL, {})
    for name, labelled in labels.items():
        filled.put_cluster(cluster(name), labelled)
    for each in declarations:
        filled.put_declaration(each)
    return filled


def fans(*pairs: tuple[str, str]) -> set[tuple[str, str]]:
    return set(pairs)


def claimed(where: Catalog, sync: str = SYNC) -> Claim:
    claim = where.claim(SyncName(sync))
    assert claim is not None
    return claim


def invalid(name: str = SYNC, **fields: Any) -> Declaration:
    return replace(declaration(name, **fields), spec=None, invalid="spec.source: wrong")


# Declarations ----------------------------------------------------------------


def test_a_new_declaration_fans_out_to_the_clusters_it_names_registered_or_not() -> None:
    known = catalog(edge={})
    assert known.put_declaration(declaration(spec={"clusters": clusters("local", "nowhere")})) == fans(("local", SYNC), ("nowhere", SYNC))
    assert known.target_clusters(SYNC) == {"local", "nowhere"}


def test_a_new_declaration_fans_out_to_the_clusters_its_selectors_match() -> None:
    known = catalog(one={"env": "prod"}, two={"env": "dev"}, three={"env": "prod"})
    assert known.put_declaration(declaration(spec={"clusters": [PROD]})) == fans(("one", SYNC), ("three", SYNC))


def test_without_clusters_a_declaration_speaks_of_the_local_one() -> None:
    assert catalog(edge={}).put_declaration(declaration()) == fans(("local", SYNC))


def test_a_changed_list_of_clusters_fans_out_to_those_it_had_and_those_it_has() -> None:
    known = catalog(declaration(spec={"clusters": clusters("one", "two")}))
    assert known.put_declaration(declaration(spec={"clusters": clusters("two", "three")})) == fans(
        ("one", SYNC), ("two", SYNC), ("three", SYNC)
    )
    assert list(known.claims_on(cluster("one"))) == []


QUIET: dict[str, dict[str, Any]] = {
    "a status": {"status": {"summary": "1/1"}, "resource_version": 2},
    "another generation of the same spec": {"generation": 2},
    "a finalizer of somebody else": {"finalizers": ("clustersync.io/cleanup", "example.com/hold")},
    "clusters whose cleanup is skipped": {"skip_cleanup": frozenset({"edge"})},
}


@pytest.mark.parametrize("change", QUIET.values(), ids=QUIET.keys())
def test_what_asks_for_nothing_new_causes_nothing(change: dict[str, Any]) -> None:
    known = catalog(declaration())
    assert known.put_declaration(declaration(**change)) == set()
    assert known.declaration(SYNC) == declaration(**change)


LOUD: dict[str, dict[str, Any]] = {
    "another selector": {"spec": {"namespaceSelector": {}}},
    "another policy": {"spec": {"deletionPolicy": "Retain"}},
    "a suspension": {"spec": {"suspend": True}},
    "a deletion": {"deleting": True},
    "the finalizer that allows writing": {"has_finalizer": False},
    "a request to reconcile": {"reconcile_requested": "now"},
    "another object of that name": {"uid": "another"},
}


@pytest.mark.parametrize("change", LOUD.values(), ids=LOUD.keys())
def test_what_may_change_something_fans_out(change: dict[str, Any]) -> None:
    known = catalog(declaration(), declaration("bystander"))
    assert known.put_declaration(declaration(**change)) == fans(("local", SYNC))


def test_a_declaration_that_is_gone_fans_out_to_where_it_was() -> None:
    known = catalog(declaration(spec={"clusters": clusters("one", "two")}), declaration("bystander"))
    assert known.drop_declaration(SYNC) == fans(("one", SYNC), ("two", SYNC))
    assert (known.declaration(SYNC), known.claim(SYNC), known.target_clusters(SYNC)) == (None, None, frozenset())


def test_dropping_what_is_not_there_causes_nothing() -> None:
    assert catalog().drop_declaration(SYNC) == set()


def test_a_claim_carries_what_the_spec_says() -> None:
    spec = {"deletionPolicy": "Retain", "sourceDeletionPolicy": "Delete"}
    claim = claimed(catalog(declaration(spec=spec)))
    assert (claim.deletion_policy, claim.drop_on_missing_source) == (DeletionPolicy.RETAIN, True)
    assert (claim.source, claim.target_name, claim.suspended, claim.deleting) == (SOURCE, "registry", False, False)


WRITABLE: dict[str, tuple[dict[str, Any], bool, bool]] = {
    "with the finalizer": ({}, False, True),
    "without the finalizer": ({"has_finalizer": False}, False, False),
    "while suspended": ({"spec": {"suspend": True}}, False, False),
    "while it is deleted": ({"deleting": True}, False, True),
    "in a dry run": ({}, True, False),
}


@pytest.mark.parametrize(("fields", "dry_run", "writable"), WRITABLE.values(), ids=WRITABLE.keys())
def test_writable(fields: dict[str, Any], dry_run: bool, writable: bool) -> None:
    known = Catalog(HUB, dry_run=dry_run)
    known.put_declaration(declaration(**fields))
    assert claimed(known).writable is writable


def test_a_declaration_that_does_not_parse_claims_and_removes_nothing() -> None:
    known = catalog()
    assert known.put_declaration(invalid()) == set()
    assert known.claim(SYNC) is None


def test_a_declaration_that_no_longer_parses_fans_out_to_where_it_was() -> None:
    known = catalog(declaration(spec={"clusters": clusters("edge")}))
    assert known.put_declaration(invalid()) == fans(("edge", SYNC))
    assert known.claim(SYNC) is None
    assert list(known.claims_on(cluster("edge"))) == []


def test_a_declaration_that_is_deleted_and_does_not_parse_releases_what_it_may_have_anywhere() -> None:
    known = catalog(declaration(spec={"clusters": clusters("edge")}), edge={}, other={})
    known.put_declaration(invalid())
    assert known.put_declaration(invalid(deleting=True)) == fans(("local", SYNC), ("edge", SYNC), ("other", SYNC))
    claim = claimed(known)
    assert (claim.deleting, claim.deletion_policy, claim.writable) == (True, DeletionPolicy.RETAIN, True)


def test_a_declaration_that_parses_again_claims_again() -> None:
    known = catalog(invalid())
    assert known.put_declaration(declaration()) == fans(("local", SYNC))
    assert known.claims_at(LOCAL, Kind.SECRET, "registry") == (claimed(known),)


# Claims on one place ---------------------------------------------------------

ORDERS: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "the older one first": ([("a", "2026-01-02T00:00:00Z"), ("b", "2026-01-01T00:00:00Z")], ["b", "a"]),
    "by name at the same age": ([("b", "2026-01-01T00:00:00Z"), ("a", "2026-01-01T00:00:00Z")], ["a", "b"]),
    "all three in order": (
        [("a", "2026-01-02T00:00:00Z"), ("c", "2026-01-03T00:00:00Z"), ("b", "2026-01-02T00:00:00Z")],
        ["a", "b", "c"],
    ),
}


@pytest.mark.parametrize(("declared", "order"), ORDERS.values(), ids=ORDERS.keys())
def test_claims_on_one_place_come_in_order_of_seniority(declared: list[tuple[str, str]], order: list[str]) -> None:
    known = catalog(*(declaration(name, created=created) for name, created in declared))
    assert [claim.sync for claim in known.claims_at(LOCAL, Kind.SECRET, "registry")] == order


def test_claims_on_other_names_kinds_and_clusters_are_other_places() -> None:
    config_map = {"kind": "ConfigMap", "namespace": "platform", "name": "registry"}
    other_name = {"kind": "Secret", "namespace": "platform", "name": "other"}
    known = catalog(
        declaration("secret"),
        declaration("config-map", spec={"source": config_map}),
        declaration("other-name", spec={"source": other_name}),
        declaration("other-cluster", spec={"clusters": clusters("edge")}),
    )
    assert [claim.sync for claim in known.claims_at(LOCAL, Kind.SECRET, "registry")] == ["secret"]
    assert {claim.sync for claim in known.claims_on(LOCAL)} == {"secret", "config-map", "other-name"}
    assert known.claims_at(cluster("nowhere"), Kind.SECRET, "registry") == ()


# Sources ---------------------------------------------------------------------


def test_a_source_fans_out_to_every_declaration_that_names_it_and_no_other() -> None:
    other = {"kind": "Secret", "namespace": "platform", "name": "other"}
    known = catalog(
        declaration("one", spec={"clusters": clusters("local", "edge")}),
        declaration("two"),
        declaration("three", spec={"source": other}),
    )
    assert known.put_source(SOURCE, source()) == fans(("local", "one"), ("edge", "one"), ("local", "two"))
    assert isinstance(claimed(known, "one").content, Rendered)
    assert claimed(known, "three").content is Unsynced.UNSYNCED


def test_a_source_in_the_same_revision_causes_nothing() -> None:
    known = catalog(declaration())
    known.put_source(SOURCE, source())
    assert known.put_source(SOURCE, source()) == set()


def test_a_source_that_changed_fans_out() -> None:
    known = catalog(declaration())
    known.put_source(SOURCE, source({"password": b"one"}))
    assert known.put_source(SOURCE, source({"password": b"two"}, resource_version=2)) == fans(("local", SYNC))


def test_a_missing_source_says_so_and_names_what_to_do() -> None:
    known = catalog(declaration())
    assert known.put_source(SOURCE, None) == fans(("local", SYNC))
    assert known.put_source(SOURCE, None) == set()
    content = claimed(known).content
    assert isinstance(content, Unusable)
    assert (content.reason, content.missing) == ("SourceNotFound", True)
    assert "Secret platform/registry" in content.message


def test_a_source_that_cannot_be_read_is_not_missing() -> None:
    known = catalog(declaration())
    problem = Unusable("SourceUnreadable", "forbidden")
    assert known.put_source_problem(SOURCE, problem) == fans(("local", SYNC))
    assert claimed(known).content == problem


def test_a_forgotten_source_is_unknown_again() -> None:
    known = catalog(declaration())
    known.put_source(SOURCE, source())
    assert known.forget_source(SOURCE) == fans(("local", SYNC))
    assert claimed(known).content is Unsynced.UNSYNCED
    assert known.forget_source(SOURCE) == set()


def test_a_declaration_that_comes_later_finds_the_source_that_is_known() -> None:
    known = catalog(declaration("first"))
    known.put_source(SOURCE, source())
    known.put_declaration(declaration("second"))
    assert isinstance(claimed(known, "second").content, Rendered)


def test_what_is_known_of_a_source_goes_with_the_last_that_names_it() -> None:
    known = catalog(declaration("first"), declaration("second"))
    known.put_source(SOURCE, source())
    known.drop_declaration(SyncName("first"))
    assert known.is_source(SOURCE)
    known.drop_declaration(SyncName("second"))
    assert (known.is_source(SOURCE), known.source_keys()) == (False, set())
    known.put_declaration(declaration("third"))
    assert claimed(known, "third").content is Unsynced.UNSYNCED


def test_a_declaration_that_names_another_source_is_found_under_that_one_alone() -> None:
    known = catalog(declaration())
    known.put_declaration(declaration(spec={"source": {"kind": "Secret", "namespace": "platform", "name": "other"}}))
    assert known.source_keys() == {OTHER_SOURCE}
    assert known.put_source(OTHER_SOURCE, source(key=OTHER_SOURCE)) == fans(("local", SYNC))
    assert known.claims_at(LOCAL, Kind.SECRET, "registry") == ()
    assert known.claims_at(LOCAL, Kind.SECRET, "other") == (claimed(known),)


def test_what_comes_of_a_source_that_nobody_names_is_not_kept() -> None:
    known = catalog()
    assert known.put_source(SOURCE, source()) == set()
    known.put_declaration(declaration())
    assert claimed(known).content is Unsynced.UNSYNCED


# Clusters --------------------------------------------------------------------


def selecting() -> Catalog:
    return catalog(declaration("by-label", spec={"clusters": [PROD]}), declaration("by-name", spec={"clusters": clusters("edge")}))


EDGE = ClusterName("edge")


def test_a_cluster_that_is_registered_fans_out_to_those_whose_selectors_match_it() -> None:
    assert selecting().put_cluster(EDGE, {"env": "prod"}) == fans(("edge", "by-label"))


def test_a_cluster_in_the_same_shape_causes_nothing() -> None:
    known = selecting()
    known.put_cluster(EDGE, {"env": "prod"})
    assert known.put_cluster(EDGE, {"env": "prod"}) == set()
    assert known.put_cluster(EDGE, {"env": "prod", "zone": "b"}) == set()


def test_a_cluster_whose_labels_no_longer_match_fans_out_so_that_its_replicas_go() -> None:
    known = selecting()
    known.put_cluster(EDGE, {"env": "prod"})
    assert known.put_cluster(EDGE, {"env": "dev"}) == fans(("edge", "by-label"))
    assert [claim.sync for claim in known.claims_on(EDGE)] == ["by-name"]


def test_a_cluster_whose_registration_is_gone_stays_a_target_of_those_who_name_it() -> None:
    known = selecting()
    known.put_cluster(EDGE, {"env": "prod"})
    assert known.drop_cluster(EDGE) == fans(("edge", "by-label"))
    assert known.target_clusters(SyncName("by-name")) == {"edge"}
    assert known.target_clusters(SyncName("by-label")) == frozenset()


def test_an_empty_selector_takes_every_cluster_the_local_one_too() -> None:
    known = catalog(declaration(spec={"clusters": [{"selector": {}}]}), edge={})
    assert known.target_clusters(SYNC) == {"local", "edge"}


def test_a_cluster_is_a_target_once_however_many_terms_match() -> None:
    known = catalog(declaration(spec={"clusters": [PROD, {"selector": {}}, *clusters("edge")]}), edge={"env": "prod"})
    assert known.target_clusters(SYNC) == {"local", "edge"}
    assert known.claims_at(EDGE, Kind.SECRET, "registry") == (claimed(known),)
