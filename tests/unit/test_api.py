"""What a ClusterSync may say, judged by the models; `integration/test_crd.py` holds the API server to the same tables."""

import traceback
from typing import Any

import pytest
from pydantic import ValidationError

from clustersync.core.api import (
    ClusterSyncSpec,
    ClusterTerm,
    DeletionPolicy,
    InvalidSpec,
    Kind,
    LabelSelector,
    LabelSelectorRequirement,
    SourceDeletionPolicy,
    SourceRef,
    parse_spec,
)
from clustersync.core.api_status import ClusterSyncStatus

SOURCE = {"kind": "Secret", "namespace": "team", "name": "registry"}
MINIMAL: dict[str, Any] = {"source": SOURCE, "namespaceSelector": {}}


def declared(**fields: Any) -> dict[str, Any]:
    """A spec as a user writes it: the required fields, and what a test adds or replaces."""
    return MINIMAL | fields


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in MINIMAL.items() if name != field}


def sourced(**fields: Any) -> dict[str, Any]:
    """A spec whose source differs; None takes a field out."""
    return declared(source={name: value for name, value in (SOURCE | fields).items() if value is not None})


def requiring(**requirement: Any) -> dict[str, Any]:
    return declared(namespaceSelector={"matchExpressions": [requirement]})


def labelled(labels: dict[str, Any]) -> dict[str, Any]:
    return declared(namespaceSelector={"matchLabels": labels})


def on_clusters(*terms: dict[str, Any]) -> dict[str, Any]:
    return declared(clusters=list(terms))


LONGEST_PREFIX = f"{'p' * 249}.com"

ACCEPTED: dict[str, dict[str, Any]] = {
    "only what is required": MINIMAL,
    "a ConfigMap": sourced(kind="ConfigMap"),
    "a source name with dots and 253 characters": sourced(name=f"{'a' * 125}.{'b' * 127}"),
    "a source namespace of 63 characters": sourced(namespace="n" * 63),
    "a label key of the longest kind": labelled({f"{LONGEST_PREFIX}/{'n' * 63}": "v" * 63}),
    "a label key of upper case, dots and underscores": labelled({"Team_A.b-C": "x"}),
    "an empty label value": labelled({"team": ""}),
    "each operator with the values it wants": declared(
        namespaceSelector={
            "matchExpressions": [
                {"key": "a", "operator": "In", "values": ["x", ""]},
                {"key": "b", "operator": "NotIn", "values": ["x"]},
                {"key": "example.com/c", "operator": "Exists"},
                {"key": f"{LONGEST_PREFIX}/{'n' * 63}", "operator": "DoesNotExist", "values": []},
            ]
        }
    ),
    "clusters by name and by label": on_clusters({"name": "edge"}, {"selector": {}}, {"selector": {"matchLabels": {"env": "prod"}}}),
    "as many cluster terms as may be": on_clusters(*({"name": f"c{number}"} for number in range(256))),
    "the other choice everywhere": declared(deletionPolicy="Retain", sourceDeletionPolicy="Delete", suspend=True),
}

# What is refused, and the field that the message has to name.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no source": (without("source"), "spec.source"),
    "no namespace selector": (without("namespaceSelector"), "spec.namespaceSelector"),
    "a source without kind": (sourced(kind=None), "spec.source.kind"),
    "a source without namespace": (sourced(namespace=None), "spec.source.namespace"),
    "a source without name": (sourced(name=None), "spec.source.name"),
    "a source that is a Pod": (sourced(kind="Pod"), "spec.source.kind"),
    "a source kind in lower case": (sourced(kind="secret"), "spec.source.kind"),
    "an empty source name": (sourced(name=""), "spec.source.name"),
    "a source name in upper case": (sourced(name="Registry"), "spec.source.name"),
    "a source name with a slash": (sourced(name="team/registry"), "spec.source.name"),
    "a source name with an empty part": (sourced(name="a..b"), "spec.source.name"),
    "a source name that ends in a line break": (sourced(name="registry\n"), "spec.source.name"),
    "a source name of 254 characters": (sourced(name="n" * 254), "spec.source.name"),
    "a source name that is a number": (sourced(name=7), "spec.source.name"),
    "an empty source namespace": (sourced(namespace=""), "spec.source.namespace"),
    "a source namespace with a dot": (sourced(namespace="a.b"), "spec.source.namespace"),
    "a source namespace of 64 characters": (sourced(namespace="n" * 64), "spec.source.namespace"),
    "a source that is a string": (declared(source="team/registry"), "spec.source"),
    "a label key with a blank": (labelled({"a b": "x"}), "spec.namespaceSelector.matchLabels"),
    "an empty label key": (labelled({"": "x"}), "spec.namespaceSelector.matchLabels"),
    "a label key with an empty prefix": (labelled({"/a": "x"}), "spec.namespaceSelector.matchLabels"),
    "a label key with two slashes": (labelled({"a/b/c": "x"}), "spec.namespaceSelector.matchLabels"),
    "a label key with a prefix of 254 characters": (labelled({f"p{LONGEST_PREFIX}/a": "x"}), "spec.namespaceSelector.matchLabels"),
    "a label key with a name of 64 characters": (labelled({"n" * 64: "x"}), "spec.namespaceSelector.matchLabels"),
    "a label value with a blank": (labelled({"team": "a b"}), "spec.namespaceSelector.matchLabels"),
    "a label value of 64 characters": (labelled({"team": "v" * 64}), "spec.namespaceSelector.matchLabels"),
    "a label value that is a boolean": (labelled({"team": True}), "spec.namespaceSelector.matchLabels"),
    "65 labels": (labelled({f"k{number}": "x" for number in range(65)}), "spec.namespaceSelector.matchLabels"),
    "a requirement without key": (requiring(operator="Exists"), "spec.namespaceSelector.matchExpressions[0].key"),
    "a requirement without operator": (requiring(key="a"), "spec.namespaceSelector.matchExpressions[0].operator"),
    "an unknown operator": (requiring(key="a", operator="Gt", values=["1"]), "spec.namespaceSelector.matchExpressions[0].operator"),
    "a requirement on a malformed key": (requiring(key="-a", operator="Exists"), "spec.namespaceSelector.matchExpressions[0].key"),
    "a requirement on a key with a prefix of 254 characters": (
        requiring(key=f"p{LONGEST_PREFIX}/a", operator="Exists"),
        "spec.namespaceSelector.matchExpressions[0].key",
    ),
    "In without values": (requiring(key="a", operator="In"), "spec.namespaceSelector.matchExpressions[0].values"),
    "In with no values": (requiring(key="a", operator="In", values=[]), "spec.namespaceSelector.matchExpressions[0].values"),
    "NotIn without values": (requiring(key="a", operator="NotIn"), "spec.namespaceSelector.matchExpressions[0].values"),
    "Exists with values": (requiring(key="a", operator="Exists", values=["x"]), "spec.namespaceSelector.matchExpressions[0].values"),
    "DoesNotExist with values": (
        requiring(key="a", operator="DoesNotExist", values=["x"]),
        "spec.namespaceSelector.matchExpressions[0].values",
    ),
    "a malformed value to compare with": (
        requiring(key="a", operator="In", values=["x", "a b"]),
        "spec.namespaceSelector.matchExpressions[0].values[1]",
    ),
    "no clusters": (on_clusters(), "spec.clusters"),
    "257 cluster terms": (on_clusters(*({"name": f"c{number}"} for number in range(257))), "spec.clusters"),
    "a cluster term that says nothing": (on_clusters({"name": "local"}, {}), "spec.clusters[1]"),
    "a cluster term with name and selector": (on_clusters({"name": "edge", "selector": {}}), "spec.clusters[0]"),
    "a cluster name with a dot": (on_clusters({"name": "edge.one"}), "spec.clusters[0].name"),
    "a cluster name of 64 characters": (on_clusters({"name": "c" * 64}), "spec.clusters[0].name"),
    "a malformed cluster selector": (on_clusters({"selector": {"matchLabels": {"a b": ""}}}), "spec.clusters[0].selector.matchLabels"),
    "an unknown deletion policy": (declared(deletionPolicy="Orphan"), "spec.deletionPolicy"),
    "an unknown source deletion policy": (declared(sourceDeletionPolicy="delete"), "spec.sourceDeletionPolicy"),
    "suspend as a string": (declared(suspend="true"), "spec.suspend"),
}

STATUS: dict[str, Any] = {
    "observedGeneration": 4,
    "summary": "48/50",
    "source": "Secret team/registry",
    "sources": 1,
    "desired": 50,
    "synced": 48,
    "pending": 0,
    "failed": 1,
    "conflicts": 1,
    "clustersReady": "3/3",
    "lastSyncTime": "2026-05-20T11:43:00Z",
    "clusters": [
        {"name": "edge-1", "reachable": True, "desired": 20, "synced": 20, "pending": 0, "failed": 0, "conflicts": 0, "message": ""}
    ],
    "failures": [
        {
            "cluster": "local",
            "namespace": "team-7",
            "name": "registry",
            "reason": "Forbidden",
            "message": "exceeded quota: secrets",
            "since": "2026-05-20T11:40:12Z",
        }
    ],
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "observedGeneration": 4,
            "lastTransitionTime": "2026-05-20T11:40:12Z",
            "reason": "TargetsFailed",
            "message": "1 of 50 replicas failed, 1 is in conflict",
        }
    ],
}


def test_fields_left_out_get_their_defaults() -> None:
    assert parse_spec(MINIMAL) == ClusterSyncSpec(
        source=SourceRef(kind=Kind.SECRET, namespace="team", name="registry"),
        namespace_selector=LabelSelector(match_labels={}, match_expressions=()),
        clusters=(ClusterTerm(name="local"),),
        deletion_policy=DeletionPolicy.DELETE,
        source_deletion_policy=SourceDeletionPolicy.RETAIN,
        suspend=False,
    )


def test_every_field_is_read() -> None:
    spec = parse_spec(
        {
            "source": {"kind": "ConfigMap", "namespace": "team", "name": "ca.crt"},
            "namespaceSelector": {
                "matchLabels": {"team": "a"},
                "matchExpressions": [{"key": "example.com/tier", "operator": "NotIn", "values": ["x", "y"]}],
            },
            "clusters": [{"name": "edge"}, {"selector": {"matchLabels": {"env": "prod"}}}],
            "deletionPolicy": "Retain",
            "sourceDeletionPolicy": "Delete",
            "suspend": True,
        }
    )

    assert spec == ClusterSyncSpec(
        source=SourceRef(kind=Kind.CONFIG_MAP, namespace="team", name="ca.crt"),
        namespace_selector=LabelSelector(
            match_labels={"team": "a"},
            match_expressions=(LabelSelectorRequirement(key="example.com/tier", operator="NotIn", values=("x", "y")),),
        ),
        clusters=(ClusterTerm(name="edge"), ClusterTerm(selector=LabelSelector(match_labels={"env": "prod"}))),
        deletion_policy=DeletionPolicy.RETAIN,
        source_deletion_policy=SourceDeletionPolicy.DELETE,
        suspend=True,
    )


@pytest.mark.parametrize("spec", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_is_well_formed_is_accepted(spec: dict[str, Any]) -> None:
    parse_spec(spec)


@pytest.mark.parametrize(("spec", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_malformed_is_refused_by_the_name_of_the_field(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse_spec(spec)

    assert [problem.split(": ")[0] for problem in str(refused.value).split("; ")] == [field]


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse_spec(declared(source={"kind": "Pod", "namespace": "team"}, suspend="no"))

    assert [problem.split(": ")[0] for problem in str(refused.value).split("; ")] == [
        "spec.source.kind",
        "spec.source.name",
        "spec.suspend",
    ]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(sourced(name="Hunter Two"), id="a name"),
        pytest.param(sourced(kind="Hunter Two"), id="an enumerated value"),
        pytest.param(declared(source="Hunter Two"), id="a string where an object belongs"),
        pytest.param(labelled({"Hunter Two": "x"}), id="a label key"),
        pytest.param(labelled({"team": "Hunter Two"}), id="a label value"),
        pytest.param(requiring(key="Hunter Two", operator="Exists"), id="the key of a requirement"),
        pytest.param(on_clusters({"name": "Hunter Two"}), id="a cluster name"),
        pytest.param(declared(suspend="Hunter Two"), id="a boolean"),
    ],
)
def test_no_refusal_repeats_what_was_written(spec: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse_spec(spec)

    printed = "".join(traceback.format_exception(refused.value))
    assert "InvalidSpec: spec." in printed
    assert "Hunter" not in printed


def test_a_stored_object_with_fields_of_a_newer_version_still_parses() -> None:
    newer = declared(template={"name": "x"}, source=SOURCE | {"cluster": "edge"}, clusters=[{"name": "edge", "weight": 3}])

    assert parse_spec(newer) == parse_spec(on_clusters({"name": "edge"}))


def test_a_spec_cannot_be_changed() -> None:
    spec = parse_spec(MINIMAL)

    with pytest.raises(ValidationError, match="frozen"):
        spec.suspend = True  # type: ignore[misc]


def test_a_status_comes_back_as_it_was_written() -> None:
    status = ClusterSyncStatus.model_validate(STATUS)

    assert status.model_dump(mode="json", by_alias=True, exclude_none=True) == STATUS


def test_times_are_kept_in_whole_seconds_of_utc() -> None:
    status = ClusterSyncStatus.model_validate({"lastSyncTime": "2026-05-20T13:43:00.987654+02:00"})

    assert status.model_dump(mode="json", by_alias=True)["lastSyncTime"] == "2026-05-20T11:43:00Z"


def test_an_object_that_was_never_reconciled_has_an_empty_status() -> None:
    status = ClusterSyncStatus.model_validate({})

    assert (status.desired, status.summary, status.conditions, status.observed_generation) == (0, "", (), None)
