"""Builders of core values for tests: each gives something well-formed, and a test says what matters to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from clustersync.core.api import DeletionPolicy, Kind, LabelSelector, parse_spec
from clustersync.core.catalog import Declaration
from clustersync.core.claims import Claim, Content
from clustersync.core.digest import content_digest
from clustersync.core.model import (
    HUB_LABEL,
    KINDS,
    LOCAL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    SOURCE_ANNOTATION,
    SYNC_LABEL,
    ClusterName,
    Metadata,
    Namespace,
    PackedMetadata,
    Replica,
    Source,
    SourceKey,
    SyncName,
    Target,
    pack,
)
from clustersync.core.render import Rendered, render
from clustersync.core.selectors import compile_selector

HUB = "hub-1"
SYNC = SyncName("registry")
SOURCE = SourceKey(LOCAL, Kind.SECRET, "platform", "registry")
TARGET = Target(Kind.SECRET, "team-a", "registry")
CREATED = "2026-05-20T11:00:00Z"


def source(
    data: Mapping[str, bytes] | None = None,
    *,
    key: SourceKey = SOURCE,
    binary_data: Mapping[str, bytes] | None = None,
    type: str | None = None,
    **fields: Any,
) -> Source:
    """A source with this data; `fields` are labels, annotations, immutable, uid, resource_version."""
    defaults: dict[str, Any] = {"uid": "source-uid", "resource_version": 1, "immutable": False, "labels": {}, "annotations": {}}
    return Source(
        key=key,
        type=KINDS[key.kind].default_type if type is None else type,
        data={"password": b"one"} if data is None else data,
        binary_data=binary_data or {},
        **(defaults | fields),
    )


def rendered(data: Mapping[str, bytes] | None = None, *, sync: SyncName = SYNC, hub: str = HUB, **fields: Any) -> Rendered:
    """What the replicas of such a source must be."""
    content = render(source(data, **fields), sync, hub)
    assert isinstance(content, Rendered)
    return content


def packed(metadata: Metadata) -> PackedMetadata:
    """Metadata as a replica holds it."""
    return PackedMetadata(pack(metadata))


def replica(content: Rendered, **fields: Any) -> Replica:
    """A replica in sync with `content`; `fields` say what differs from that, `metadata` unpacked."""
    metadata = fields.pop("metadata", Metadata(dict(content.labels), dict(content.annotations)))
    in_sync = Replica(
        uid="replica-uid",
        resource_version=10,
        digest=content.digest,
        type=content.type,
        owner=content.sync,
        metadata=packed(metadata),
        immutable=content.immutable,
        ours=True,
    )
    return replace(in_sync, **fields)


def foreign(data: Mapping[str, bytes] | None = None, *, type: str = "Opaque", immutable: bool = False, **fields: Any) -> Replica:
    """A Secret of somebody else."""
    metadata = fields.pop("metadata", Metadata(labels={"app": "theirs"}))
    theirs = Replica(
        uid="foreign-uid",
        resource_version=10,
        digest=content_digest(type, immutable, {"password": b"theirs"} if data is None else data, {}),
        type=type,
        owner=SyncName(""),
        metadata=packed(metadata),
        immutable=immutable,
    )
    return replace(theirs, **fields)


def marks(sync: str = SYNC, hub: str = HUB) -> dict[str, str]:
    """The labels by which a replica names its ClusterSync and hub."""
    return {MANAGED_BY_LABEL: MANAGED_BY, HUB_LABEL: hub, SYNC_LABEL: sync}


def bare_replica(sync: str, version: int = 10, **fields: Any) -> Replica:
    """A replica of which only owner, revision and what `fields` say matters."""
    metadata = packed(Metadata(marks(sync), {SOURCE_ANNOTATION: SOURCE.mark}))
    return replace(Replica("replica-uid", version, b"digest", "Opaque", SyncName(sync), metadata, ours=True), **fields)


def namespace(name: str = "team-a", labels: Mapping[str, str] | None = None, *, terminating: bool = False) -> Namespace:
    """A namespace; unless told otherwise one that `claim` selects."""
    return Namespace(name, {"team": "a"} if labels is None else dict(labels), 5, terminating)


def claim(sync: str = SYNC, content: Content | None = None, **fields: Any) -> Claim:
    """The claim of a ClusterSync on namespaces labelled team=a; without `content` of a source that is well."""
    name = SyncName(sync)
    values: dict[str, Any] = {
        "sync": name,
        "seniority": (CREATED, sync),
        "source": SOURCE,
        "target_name": SOURCE.name,
        "selects_labels": compile_selector(selector({"team": "a"})),
        "content": rendered(sync=name) if content is None else content,
        "deletion_policy": DeletionPolicy.DELETE,
        "drop_on_missing_source": False,
        "deleting": False,
        "suspended": False,
        "writable": not fields.get("suspended", False),
    }
    return Claim(**(values | fields))


def selector(labels: Mapping[str, str] | None = None, *expressions: tuple[Any, ...]) -> LabelSelector:
    """A label selector; an expression is (key, operator, value...)."""
    requirements = [{"key": key, "operator": operator, "values": values} for key, operator, *values in expressions]
    return LabelSelector.model_validate({"matchLabels": labels or {}, "matchExpressions": requirements})


def declaration(name: str = SYNC, spec: Mapping[str, Any] | None = None, **fields: Any) -> Declaration:
    """A stored ClusterSync of the Secret platform/registry to namespaces labelled team=a; `spec` adds and replaces fields."""
    whole = {
        "source": {"kind": SOURCE.kind, "namespace": SOURCE.namespace, "name": SOURCE.name},
        "namespaceSelector": {"matchLabels": {"team": "a"}},
    }
    values: dict[str, Any] = {
        "name": SyncName(name),
        "uid": f"{name}-uid",
        "resource_version": 1,
        "generation": 1,
        "created": CREATED,
        "deleting": False,
        "finalizers": ("clustersync.io/cleanup",),
        "has_finalizer": True,
        "spec": parse_spec(whole | dict(spec or {})),
    }
    return Declaration(**(values | fields))


def clusters(*names: str) -> list[dict[str, str]]:
    """Cluster terms by name, as a spec has them."""
    return [{"name": name} for name in names]


def cluster(name: str) -> ClusterName:
    """A cluster's name."""
    return ClusterName(name)
