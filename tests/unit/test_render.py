"""What a replica is made of: what is copied, what is stripped, which marks are set, and the bodies as an API server reads them."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from clustersync.core.api import Kind
from clustersync.core.digest import content_digest
from clustersync.core.model import (
    HUB_LABEL,
    LOCAL,
    MANAGED_BY_LABEL,
    MANAGED_KEYS_ANNOTATION,
    SOURCE_ANNOTATION,
    SYNC_LABEL,
    TARGET_ANNOTATION,
    Metadata,
    SourceKey,
    SyncName,
    Target,
)
from clustersync.core.render import (
    STRIPPED_KEYS,
    UNREPLICABLE_TYPES,
    Rendered,
    Unusable,
    creation_body,
    marks_match,
    merge_metadata,
    recreation_body,
    release_patch,
    render,
    update_body,
)
from tests.builders import HUB, SYNC, TARGET, marks, packed, rendered, replica, source

CONFIG_MAP = SourceKey(LOCAL, Kind.CONFIG_MAP, "platform", "settings")
CONFIG_TARGET = Target(Kind.CONFIG_MAP, "team-a", "settings")

# For each pattern of the built-in list a key that it catches.
STRIPPED = {
    "kubectl.kubernetes.io/*": "kubectl.kubernetes.io/last-applied-configuration",
    "argocd.argoproj.io/*": "argocd.argoproj.io/tracking-id",
    "app.kubernetes.io/instance": "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by": "app.kubernetes.io/managed-by",
    "helm.sh/*": "helm.sh/chart",
    "meta.helm.sh/*": "meta.helm.sh/release-name",
    "*.toolkit.fluxcd.io/*": "kustomize.toolkit.fluxcd.io/name",
    "kubed.appscode.com/*": "kubed.appscode.com/sync",
    "reflector.v1.k8s.emberstack.com/*": "reflector.v1.k8s.emberstack.com/reflection-allowed",
    "replicator.v1.mittwald.de/*": "replicator.v1.mittwald.de/replicate-to",
    "clustersecret.io/*": "clustersecret.io/owner",
    "cert-manager.io/*": "cert-manager.io/certificate-name",
    "*.cert-manager.io/*": "controller.cert-manager.io/fao",
    "reconcile.external-secrets.io/*": "reconcile.external-secrets.io/data-hash",
    "sealedsecrets.bitnami.com/*": "sealedsecrets.bitnami.com/managed",
    "*.kyverno.io/*": "generate.kyverno.io/policy-name",
    "velero.io/*": "velero.io/backup-name",
    "*.cattle.io/*": "field.cattle.io/projectId",
    "kapp.k14s.io/*": "kapp.k14s.io/app",
    "clustersync.io/*": "clustersync.io/opt-out",
}

COPIED = [
    "app",
    "app.kubernetes.io/name",
    "app.kubernetes.io/managed-by-whom",
    "kubernetes.io/description",
    "example.com/helm.sh",
    "nothelm.sh/chart",
    "cattle.io/x",
    "kyverno.io/x",
    "external-secrets.io/x",
]


def body(raw: bytes) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(raw)
    return parsed


def created(content: Rendered, target: Target = TARGET) -> dict[str, Any]:
    return body(creation_body(content, target))


def updated(content: Rendered, before: Metadata, target: Target = TARGET) -> dict[str, Any]:
    return body(update_body(content, target, before, uid="u-1", resource_version=42))


def carried(content: Rendered, **labels: str) -> Metadata:
    """What the replica of `content` carries, with labels of somebody else."""
    return Metadata(content.labels | labels, dict(content.annotations))


def test_every_pattern_has_its_example() -> None:
    assert set(STRIPPED) == set(STRIPPED_KEYS)


@pytest.mark.parametrize("key", STRIPPED.values(), ids=STRIPPED.keys())
def test_a_key_by_which_another_tool_claims_an_object_is_not_copied(key: str) -> None:
    content = rendered(labels={key: "theirs"}, annotations={key: "theirs"})
    assert "theirs" not in content.labels.values()
    assert "theirs" not in content.annotations.values()
    assert content.managed_keys == ""


@pytest.mark.parametrize("key", COPIED)
def test_any_other_key_is_copied(key: str) -> None:
    content = rendered(labels={key: "label"}, annotations={key: "annotation"})
    assert content.labels[key] == "label"
    assert content.annotations[key] == "annotation"
    assert content.managed_keys == f"labels/{key},annotations/{key}"


def test_a_replica_carries_our_marks_and_where_it_comes_from_and_belongs() -> None:
    metadata = created(rendered(sync=SyncName("creds")))["metadata"]
    assert metadata == {
        "name": "registry",
        "namespace": "team-a",
        "labels": {MANAGED_BY_LABEL: "clustersync", HUB_LABEL: HUB, SYNC_LABEL: "creds"},
        "annotations": {SOURCE_ANNOTATION: "local/platform/registry", TARGET_ANNOTATION: "team-a/registry"},
    }


def test_the_mark_of_managed_keys_names_what_we_set_beyond_the_marks_in_order() -> None:
    content = rendered(labels={"b": "1", "a": "2"}, annotations={"z": "3", "y": "4"})
    assert content.annotations[MANAGED_KEYS_ANNOTATION] == "labels/a,labels/b,annotations/y,annotations/z"


def test_no_content_hash_and_no_revision_of_the_source_is_written() -> None:
    text = creation_body(rendered(resource_version=987654321, uid="source-uid"), TARGET).decode()
    assert "987654321" not in text
    assert "source-uid" not in text
    assert rendered().digest.hex() not in text


@pytest.mark.parametrize("type_", sorted(UNREPLICABLE_TYPES))
def test_a_type_that_means_something_only_where_it_lies_is_refused(type_: str) -> None:
    problem = render(source(type=type_), SYNC, HUB)
    assert isinstance(problem, Unusable)
    assert (problem.reason, problem.missing) == ("RefusedType", False)
    assert type_ in problem.message


@pytest.mark.parametrize("hub", [HUB, "another-hub", ""])
def test_a_source_that_is_a_replica_of_any_hub_is_refused(hub: str) -> None:
    problem = render(source(labels={HUB_LABEL: hub}), SYNC, HUB)
    assert isinstance(problem, Unusable)
    assert (problem.reason, problem.missing) == ("SourceIsReplica", False)


def test_a_refusal_holds_no_data() -> None:
    for unusable in (source({"password": b"hunter2"}, type="helm.sh/release.v1"), source({"password": b"hunter2"}, labels={HUB_LABEL: ""})):
        assert "hunter2" not in str(render(unusable, SYNC, HUB))


def test_neither_a_source_nor_what_is_rendered_shows_its_data() -> None:
    for shown in (source({"password": b"hunter2"}), rendered({"password": b"hunter2"})):
        assert "hunter2" not in repr(shown)
        assert base64.b64encode(b"hunter2").decode() not in repr(shown)


def test_a_secret_is_created_with_its_type_and_data() -> None:
    secret = created(rendered({"a": b"\x00\xff", "b": b""}, type="example.com/x"))
    assert (secret["apiVersion"], secret["kind"], secret["type"]) == ("v1", "Secret", "example.com/x")
    assert {key: base64.b64decode(value) for key, value in secret["data"].items()} == {"a": b"\x00\xff", "b": b""}
    assert set(secret) == {"apiVersion", "kind", "metadata", "type", "data"}


def test_a_config_map_is_created_with_text_and_binary_data_and_no_type() -> None:
    text = 'Grüße, 世界 "quoted"\n\ttab'
    config = created(rendered({"text": text.encode()}, key=CONFIG_MAP, binary_data={"blob": b"\x00\xff"}), CONFIG_TARGET)
    assert (config["kind"], config["data"]) == ("ConfigMap", {"text": text})
    assert base64.b64decode(config["binaryData"]["blob"]) == b"\x00\xff"
    assert set(config) == {"apiVersion", "kind", "metadata", "data", "binaryData"}


@pytest.mark.parametrize(("key", "target"), [(None, TARGET), (CONFIG_MAP, CONFIG_TARGET)], ids=["a Secret", "a ConfigMap"])
def test_an_object_without_data_is_created_empty(key: SourceKey | None, target: Target) -> None:
    content = rendered({}, key=key) if key else rendered({})
    assert created(content, target)["data"] == {}


@pytest.mark.parametrize(("key", "target"), [(None, TARGET), (CONFIG_MAP, CONFIG_TARGET)], ids=["a Secret", "a ConfigMap"])
def test_immutable_is_written_only_where_it_is_true(key: SourceKey | None, target: Target) -> None:
    fields: dict[str, Any] = {"key": key} if key else {}
    assert created(rendered(immutable=True, **fields), target)["immutable"] is True
    assert "immutable" not in created(rendered(**fields), target)


def test_labels_and_annotations_that_are_not_ascii_come_out_as_they_were() -> None:
    metadata = created(rendered(annotations={"note": 'Grüße "世界"\n'}))["metadata"]
    assert metadata["annotations"]["note"] == 'Grüße "世界"\n'


def test_the_digest_is_that_of_what_the_body_says() -> None:
    content = rendered({"a": b"1"}, type="example.com/x", immutable=True)
    assert content.digest == content_digest("example.com/x", True, {"a": b"1"}, {})
    assert content.mutable_digest == content_digest("example.com/x", False, {"a": b"1"}, {})


def test_an_update_names_the_revision_it_is_based_on() -> None:
    metadata = updated(rendered(), Metadata())["metadata"]
    assert (metadata["uid"], metadata["resourceVersion"]) == ("u-1", "42")
    assert (metadata["namespace"], metadata["name"]) == ("team-a", "registry")


def test_an_update_keeps_what_is_foreign() -> None:
    owners = '[{"apiVersion":"v1","kind":"Pod","name":"p","uid":"ü", "controller":true,"later":{"field":[1.50]}}]'
    before = Metadata(
        labels={"theirs": "l"},
        annotations={"credential.devops.kubesphere.io/syncstatus": "successful"},
        finalizers=["finalizers.kubesphere.io/credential"],
        owner_references=msgspec.Raw(owners.encode()),
    )
    metadata = updated(rendered(labels={"ours": "x"}), before)["metadata"]
    assert metadata["labels"] == {"theirs": "l", "ours": "x", **marks()}
    assert metadata["annotations"]["credential.devops.kubesphere.io/syncstatus"] == "successful"
    assert metadata["finalizers"] == ["finalizers.kubesphere.io/credential"]
    raw = update_body(rendered(), TARGET, before, uid="u", resource_version=1)
    assert f'"ownerReferences":{owners}'.encode() in raw


def test_an_update_replaces_what_somebody_made_of_our_keys() -> None:
    content = rendered(labels={"tier": "gold"}, annotations={"note": "ours"})
    before = Metadata(content.labels | {"tier": "lead", SYNC_LABEL: "theirs"}, {"note": "theirs", TARGET_ANNOTATION: "else/where"})
    metadata = updated(content, before)["metadata"]
    assert metadata["labels"] == content.labels
    assert metadata["annotations"] == content.annotations | {TARGET_ANNOTATION: "team-a/registry"}


def test_keys_that_the_source_dropped_go_while_equal_looking_foreign_ones_stay() -> None:
    was = rendered(labels={"kept": "1", "dropped": "2"}, annotations={"kept": "3", "dropped": "4"})
    before = Metadata(was.labels | {"theirs": "5"}, was.annotations | {"theirs": "6"})
    now = rendered(labels={"kept": "1"}, annotations={"kept": "3"})
    merged = merge_metadata(now, TARGET, before)
    assert merged.labels == now.labels | {"theirs": "5"}
    assert merged.annotations == now.annotations | {"theirs": "6", TARGET_ANNOTATION: "team-a/registry"}


def test_a_label_that_was_dropped_does_not_take_the_annotation_of_that_name_with_it() -> None:
    was = rendered(labels={"key": "ours"})
    before = Metadata(dict(was.labels), was.annotations | {"key": "theirs"})
    merged = merge_metadata(rendered(), TARGET, before)
    assert "key" not in merged.labels
    assert merged.annotations["key"] == "theirs"


def test_the_mark_of_managed_keys_goes_with_the_last_of_them() -> None:
    was = rendered(labels={"dropped": "1"})
    assert MANAGED_KEYS_ANNOTATION in was.annotations
    merged = merge_metadata(rendered(), TARGET, carried(was))
    assert MANAGED_KEYS_ANNOTATION not in merged.annotations
    assert marks_match(rendered(), merged)


def test_a_managed_by_label_of_somebody_else_is_left() -> None:
    before = Metadata(labels={MANAGED_BY_LABEL: "Helm"})
    assert merge_metadata(rendered(), TARGET, before).labels[MANAGED_BY_LABEL] == "Helm"


def test_a_missing_managed_by_label_is_set() -> None:
    assert merge_metadata(rendered(), TARGET, Metadata()).labels[MANAGED_BY_LABEL] == "clustersync"


def test_a_recreation_carries_foreign_labels_and_annotations_but_no_precondition_finalizer_or_owner() -> None:
    before = Metadata({"theirs": "l"}, {"theirs": "a"}, ["example.com/hold"], msgspec.Raw(b'[{"uid":"o"}]'))
    content = rendered({"password": b"one"}, type="example.com/x", labels={"ours": "x"})
    again = body(recreation_body(content, TARGET, before))
    assert set(again["metadata"]) == {"name", "namespace", "labels", "annotations"}
    assert again["metadata"]["labels"] == {"theirs": "l", "ours": "x", **marks()}
    assert again["metadata"]["annotations"] == content.annotations | {"theirs": "a", TARGET_ANNOTATION: "team-a/registry"}
    assert (again["type"], again["data"]) == ("example.com/x", {"password": "b25l"})


def test_a_release_takes_off_the_marks_under_preconditions_and_nothing_else() -> None:
    content = rendered(labels={"tier": "gold"}, annotations={"note": "x"})
    patch = body(release_patch(replica(content, uid="u-1", resource_version=42)))
    assert patch == {
        "metadata": {
            "uid": "u-1",
            "resourceVersion": "42",
            "labels": {HUB_LABEL: None, SYNC_LABEL: None, MANAGED_BY_LABEL: None},
            "annotations": {SOURCE_ANNOTATION: None, TARGET_ANNOTATION: None, MANAGED_KEYS_ANNOTATION: None},
        }
    }


def test_a_release_leaves_a_managed_by_label_of_somebody_else() -> None:
    content = rendered()
    kept = replica(content, metadata=Metadata(content.labels | {MANAGED_BY_LABEL: "Helm"}, dict(content.annotations)))
    assert MANAGED_BY_LABEL not in body(release_patch(kept))["metadata"]["labels"]


def test_metadata_is_packed_alike_whatever_its_order() -> None:
    one, other = Metadata({"a": "1", "b": "2"}, {"c": "3", "d": "4"}), Metadata({"b": "2", "a": "1"}, {"d": "4", "c": "3"})
    assert packed(one).encoded == packed(other).encoded
    assert packed(one).unpack() == other
