"""From a source to what its replicas must be: rendered once per source revision, joined with a target's name per namespace."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import orjson

from clustersync.core.api import Kind
from clustersync.core.digest import content_digest
from clustersync.core.model import (
    HUB_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    MANAGED_KEYS_ANNOTATION,
    SOURCE_ANNOTATION,
    SYNC_LABEL,
    TARGET_ANNOTATION,
    Metadata,
    Replica,
    Source,
    SyncName,
    Target,
)

STRIPPED_KEYS = (
    "kubectl.kubernetes.io/*",
    "argocd.argoproj.io/*",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "helm.sh/*",
    "meta.helm.sh/*",
    "*.toolkit.fluxcd.io/*",
    "kubed.appscode.com/*",
    "reflector.v1.k8s.emberstack.com/*",
    "replicator.v1.mittwald.de/*",
    "clustersecret.io/*",
    "cert-manager.io/*",
    "*.cert-manager.io/*",
    "reconcile.external-secrets.io/*",
    "sealedsecrets.bitnami.com/*",
    "*.kyverno.io/*",
    "velero.io/*",
    "*.cattle.io/*",
    "kapp.k14s.io/*",
    "clustersync.io/*",
)
"""Labels and annotations by which other tools claim an object; copied, they would make those tools fight over replicas."""

UNREPLICABLE_TYPES = frozenset({"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "helm.sh/release.v1"})
"""Secret types that mean something only where they lie (design, section 3)."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a source gives no content: `reason` for the condition SourceReady, `message` says what to do. `missing` when it is not there."""

    reason: str
    message: str
    missing: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """What every replica of one ClusterSync and source revision must be.

    `labels` and `annotations` include our marks, but for the target mark. `tail` is the encoded end of the object:
    everything after its metadata.
    """

    kind: Kind
    sync: SyncName
    type: str
    immutable: bool
    digest: bytes
    mutable_digest: bytes
    """The digest of the same content in an object that is not immutable."""
    labels: dict[str, str]
    annotations: dict[str, str]
    tail: bytes = field(repr=False)

    @property
    def managed_keys(self) -> str:
        """The mark that names the further labels and annotations that we set."""
        return self.annotations.get(MANAGED_KEYS_ANNOTATION, "")


def render(source: Source, sync: SyncName, hub_id: str) -> Rendered | Unusable:
    """Return what the replicas of `source` must be, or why it cannot be replicated."""
    if source.is_replica:
        return Unusable("SourceIsReplica", f"{source.key} is itself a replica; name the object it was copied from")
    if source.type in UNREPLICABLE_TYPES:
        return Unusable("RefusedType", f"{source.key} has type {source.type}, which is of no use elsewhere; name another source")
    labels, annotations = _copied(source.labels), _copied(source.annotations)
    marks = {SOURCE_ANNOTATION: source.key.mark}
    if managed := _managed_keys(labels, annotations):
        marks[MANAGED_KEYS_ANNOTATION] = managed
    return Rendered(
        kind=source.key.kind,
        sync=sync,
        type=source.type,
        immutable=source.immutable,
        digest=content_digest(source.type, source.immutable, source.data, source.binary_data),
        mutable_digest=content_digest(source.type, False, source.data, source.binary_data),
        labels=labels | {MANAGED_BY_LABEL: MANAGED_BY, HUB_LABEL: hub_id, SYNC_LABEL: sync},
        annotations=annotations | marks,
        tail=_tail(source),
    )


def _copied(keys: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in keys.items() if not any(fnmatchcase(key, pattern) for pattern in STRIPPED_KEYS)}


def _managed_keys(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    return ",".join([*(f"labels/{key}" for key in sorted(labels)), *(f"annotations/{key}" for key in sorted(annotations))])


def _tail(source: Source) -> bytes:
    rest: dict[str, Any] = {}
    if source.key.kind is Kind.SECRET:
        rest["type"] = source.type
        rest["data"] = _base64(source.data)
    else:
        rest["data"] = {key: value.decode() for key, value in source.data.items()}
        rest["binaryData"] = _base64(source.binary_data)
    if source.immutable:
        rest["immutable"] = True
    return orjson.dumps(rest)[1:]


def _base64(values: Mapping[str, bytes]) -> dict[str, str]:
    return {key: base64.b64encode(value).decode() for key, value in values.items()}


def creation_body(rendered: Rendered, target: Target) -> bytes:
    """Return the encoded object to POST for `target`."""
    metadata: dict[str, Any] = {
        "name": target.name,
        "namespace": target.namespace,
        "labels": rendered.labels,
        "annotations": {TARGET_ANNOTATION: target_mark(target), **rendered.annotations},
    }
    return _join(rendered, metadata)


def recreation_body(rendered: Rendered, target: Target, before: Metadata) -> bytes:
    """Return the encoded object to POST in place of a deleted one: its foreign labels and annotations carried over."""
    merged = merge_metadata(rendered, target, before)
    return _join(rendered, {"name": target.name, "namespace": target.namespace, "labels": merged.labels, "annotations": merged.annotations})


def update_body(rendered: Rendered, target: Target, before: Metadata, *, uid: str, resource_version: int) -> bytes:
    """Return the encoded object to PUT: our content and marks, `before` otherwise kept, uid and resourceVersion as preconditions."""
    return _join(rendered, identity(target, uid, resource_version) | encode_metadata(merge_metadata(rendered, target, before)))


def identity(target: Target, uid: str, resource_version: int) -> dict[str, Any]:
    """Return the metadata by which a PUT or PATCH names one object in one revision."""
    return {"name": target.name, "namespace": target.namespace, "uid": uid, "resourceVersion": str(resource_version)}


def encode_metadata(metadata: Metadata) -> dict[str, Any]:
    """Return the carried metadata as an API object has it."""
    return {
        "labels": metadata.labels,
        "annotations": metadata.annotations,
        "finalizers": metadata.finalizers,
        "ownerReferences": orjson.Fragment(bytes(metadata.owner_references)),
    }


def _join(rendered: Rendered, metadata: Mapping[str, Any]) -> bytes:
    head = b'{"apiVersion":"v1","kind":"' + rendered.kind.encode() + b'","metadata":'
    return head + orjson.dumps(metadata) + b"," + rendered.tail


def target_mark(target: Target) -> str:
    """Return the annotation that says where a replica belongs."""
    return f"{target.namespace}/{target.name}"


def merge_metadata(rendered: Rendered, target: Target, before: Metadata) -> Metadata:
    """Return `before` with our keys set and those that we set earlier and no longer want taken off; the rest is foreign and stays.

    A managed-by label of somebody else is left (design, section 4).
    """
    dropped = _split_keys(before.annotations.get(MANAGED_KEYS_ANNOTATION, ""))
    labels = {key: value for key, value in before.labels.items() if f"labels/{key}" not in dropped}
    annotations = {key: value for key, value in before.annotations.items() if f"annotations/{key}" not in dropped}
    annotations.pop(MANAGED_KEYS_ANNOTATION, None)
    managed_by = labels.get(MANAGED_BY_LABEL, MANAGED_BY)
    return Metadata(
        labels=labels | rendered.labels | {MANAGED_BY_LABEL: managed_by},
        annotations=annotations | rendered.annotations | {TARGET_ANNOTATION: target_mark(target)},
        finalizers=before.finalizers,
        owner_references=before.owner_references,
    )


def release_patch(observed: Replica) -> bytes:
    """Return the JSON merge patch that takes our marks off and leaves the rest, with uid and resourceVersion as preconditions."""
    labels: dict[str, None] = {HUB_LABEL: None, SYNC_LABEL: None}
    if observed.metadata.unpack().labels.get(MANAGED_BY_LABEL) == MANAGED_BY:
        labels[MANAGED_BY_LABEL] = None
    annotations = dict.fromkeys((SOURCE_ANNOTATION, TARGET_ANNOTATION, MANAGED_KEYS_ANNOTATION))
    preconditions = {"uid": observed.uid, "resourceVersion": str(observed.resource_version)}
    return orjson.dumps({"metadata": {**preconditions, "labels": labels, "annotations": annotations}})


def marks_match(rendered: Rendered, observed: Metadata) -> bool:
    """Whether every label and annotation that we want is there, and none that we dropped is left."""
    if observed.annotations.get(MANAGED_KEYS_ANNOTATION, "") != rendered.managed_keys:
        return False
    wanted_labels = ((key, value) for key, value in rendered.labels.items() if key != MANAGED_BY_LABEL)
    return (
        MANAGED_BY_LABEL in observed.labels
        and all(observed.labels.get(key) == value for key, value in wanted_labels)
        and all(observed.annotations.get(key) == value for key, value in rendered.annotations.items())
    )


def _split_keys(managed: str) -> frozenset[str]:
    return frozenset(managed.split(",")) if managed else frozenset()
