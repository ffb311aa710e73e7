"""Decoding at the door: from an API server's JSON to our values, so that nothing larger than needed enters memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from clustersync.core.api import InvalidSpec, Kind, parse_spec
from clustersync.core.catalog import Declaration
from clustersync.core.digest import content_digest
from clustersync.core.model import (
    CLEANUP_FINALIZER,
    HUB_LABEL,
    KINDS,
    LOCAL,
    MANAGED_KEYS_ANNOTATION,
    RECONCILE_ANNOTATION,
    SKIP_CLEANUP_ANNOTATION,
    SOURCE_ANNOTATION,
    SYNC_LABEL,
    TARGET_ANNOTATION,
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

FOREIGN_METADATA_BYTES = 1024
"""Foreign metadata beyond this is not kept but read before a write (design, section 7)."""


class ObjectMeta(msgspec.Struct, gc=False, rename="camel"):
    """The part of `metadata` that we read."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = "0"
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None
    owner_references: msgspec.Raw = msgspec.Raw(b"[]")  # not `| None`: in a union msgspec refuses what Raw would take


class PartialObject(msgspec.Struct, gc=False):
    """Any object, of which we read the metadata alone; also the reply to a write."""

    kind: str = ""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


class _Stored(msgspec.Struct, gc=False, rename="camel"):
    """A Secret or a ConfigMap, its values still encoded."""

    metadata: ObjectMeta
    type: str = ""
    immutable: bool | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    binary_data: msgspec.Raw = msgspec.Raw(b"null")


class _ClusterSync(msgspec.Struct, gc=False):
    metadata: ObjectMeta
    spec: dict[str, Any] | None = None
    status: dict[str, Any] | None = None


class Event(msgspec.Struct, gc=False):
    """A watch event; what its object is depends on its type."""

    type: str
    object: msgspec.Raw


class ListPage(msgspec.Struct, gc=False):
    """A page of a list, its items still encoded."""

    class ListMeta(msgspec.Struct, gc=False, rename={"resource_version": "resourceVersion", "continue_": "continue"}):
        """Where the list stands."""

        resource_version: str = "0"
        continue_: str = ""

    metadata: ListMeta
    items: list[msgspec.Raw] | None = None


decode_event = msgspec.json.Decoder(Event).decode
decode_partial = msgspec.json.Decoder(PartialObject).decode
decode_page = msgspec.json.Decoder(ListPage).decode
_decode_stored = msgspec.json.Decoder(_Stored).decode
_decode_bytes = msgspec.json.Decoder(dict[str, bytes] | None).decode
_decode_text = msgspec.json.Decoder(dict[str, str] | None).decode
_decode_cluster_sync = msgspec.json.Decoder(_ClusterSync).decode


class _Content(msgspec.Struct, gc=False):
    """A Secret or a ConfigMap, seen alike."""

    metadata: ObjectMeta
    type: str
    immutable: bool
    data: Mapping[str, bytes]
    binary_data: Mapping[str, bytes]


def _content(kind: Kind, stored: _Stored) -> _Content:
    binary_data = _decode_bytes(stored.binary_data) or {}
    if kind is Kind.SECRET:
        data = _decode_bytes(stored.data) or {}
    else:
        data = {key: value.encode() for key, value in (_decode_text(stored.data) or {}).items()}
    return _Content(stored.metadata, stored.type or KINDS[kind].default_type, bool(stored.immutable), data, binary_data)


class _Digester:
    """Digests stored objects of one kind. A fan-out brings the same bytes over and over, so those of the last are compared first."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._last: tuple[object, ...] = ()
        self._digest = b""

    def __call__(self, stored: _Stored) -> bytes:
        encoded = (stored.type, stored.immutable, stored.data, stored.binary_data)
        if encoded != self._last:
            content = _content(self._kind, stored)
            self._digest = content_digest(content.type, content.immutable, content.data, content.binary_data)
            self._last = (stored.type, stored.immutable, stored.data.copy(), stored.binary_data.copy())
        return self._digest


class Interner:
    """Keeps one copy of equal metadata for as long as any replica carries it."""

    def __init__(self) -> None:
        self._packed: WeakValueDictionary[bytes, PackedMetadata] = WeakValueDictionary()

    def __call__(self, metadata: Metadata) -> PackedMetadata:
        encoded = pack(metadata)
        key = blake2b(encoded, digest_size=16).digest()
        packed = self._packed.get(key)
        if packed is None:
            packed = self._packed[key] = PackedMetadata(encoded)
        return packed


def replica_decoder(kind: Kind, hub_ids: frozenset[str], intern: Interner) -> Callable[[bytes | msgspec.Raw], tuple[Target, Replica]]:
    """Return a decoder for objects on targets' places. `hub_ids` are those that count as ours."""

    digest, default_type = _Digester(kind), KINDS[kind].default_type

    def decode(raw: bytes | msgspec.Raw) -> tuple[Target, Replica]:
        stored = _decode_stored(raw)
        meta = stored.metadata
        target = Target(kind, meta.namespace, meta.name)
        content = (stored.type or default_type, bool(stored.immutable), digest(stored))
        return target, observed_replica(target, meta, content, hub_ids, intern)

    return decode


def observed_replica(
    target: Target, meta: ObjectMeta, content: tuple[str, bool, bytes], hub_ids: frozenset[str], intern: Interner
) -> Replica:
    """Return the replica that `meta` and its content (type, immutable, digest) describe."""
    type_, immutable, digest = content
    labels, annotations = meta.labels or {}, meta.annotations or {}
    home = annotations.pop(TARGET_ANNOTATION, "") == f"{target.namespace}/{target.name}"
    metadata = carried(meta, labels, annotations)
    packed = intern(metadata)
    partial = len(packed.encoded) > FOREIGN_METADATA_BYTES and _foreign_size(metadata) > FOREIGN_METADATA_BYTES
    return Replica(
        uid=meta.uid,
        resource_version=int(meta.resource_version),
        digest=digest,
        type=type_,
        owner=SyncName(labels.get(SYNC_LABEL, "")),
        metadata=intern(_own_part(metadata)) if partial else packed,
        partial=partial,
        immutable=immutable,
        ours=home and labels.get(HUB_LABEL) in hub_ids,
        deleting=meta.deletion_timestamp is not None,
    )


def carried(meta: ObjectMeta, labels: dict[str, str], annotations: dict[str, str]) -> Metadata:
    """Return what an update has to carry over."""
    return Metadata(labels, annotations, meta.finalizers or [], meta.owner_references)


def carried_metadata(raw: bytes) -> Metadata:
    """Return what an update of the encoded object has to carry over, however large."""
    meta = decode_partial(raw).metadata
    annotations = meta.annotations or {}
    annotations.pop(TARGET_ANNOTATION, None)
    return carried(meta, meta.labels or {}, annotations)


class _ManagedFields(msgspec.Struct, gc=False):
    manager: str = ""
    time: str = ""


class _Managed(msgspec.Struct, gc=False):
    class Meta(msgspec.Struct, gc=False, rename="camel"):
        managed_fields: list[_ManagedFields] = []

    metadata: Meta


_decode_managed = msgspec.json.Decoder(_Managed).decode


def last_manager(raw: bytes, *, other_than: str) -> str:
    """Return the field manager of the latest change by somebody else, empty where there is none."""
    others = [each for each in _decode_managed(raw).metadata.managed_fields if each.manager != other_than]
    return max(others, key=lambda each: each.time).manager if others else ""


def _foreign_size(metadata: Metadata) -> int:
    """A cheap upper bound: everything but the longest thing of ours, the list of managed keys."""
    size = sum(len(key) + len(value) for key, value in metadata.labels.items())
    size += sum(len(key) + len(value) for key, value in metadata.annotations.items() if key not in _MARKS)
    return size + len(bytes(metadata.owner_references))


_MARKS = (SOURCE_ANNOTATION, MANAGED_KEYS_ANNOTATION)


def _own_part(metadata: Metadata) -> Metadata:
    managed = metadata.annotations.get(MANAGED_KEYS_ANNOTATION, "").split(",")
    own_labels = {
        key for key in metadata.labels if key in (HUB_LABEL, SYNC_LABEL) or key.endswith("/managed-by") or f"labels/{key}" in managed
    }
    own_annotations = {key for key in metadata.annotations if key in _MARKS or f"annotations/{key}" in managed}
    return Metadata(
        labels={key: metadata.labels[key] for key in own_labels}, annotations={key: metadata.annotations[key] for key in own_annotations}
    )


def source_decoder(kind: Kind) -> Callable[[bytes | msgspec.Raw], tuple[SourceKey, Source]]:
    """Return a decoder for whole sources of the hub."""

    def decode(raw: bytes | msgspec.Raw) -> tuple[SourceKey, Source]:
        content = _content(kind, _decode_stored(raw))
        meta = content.metadata
        key = SourceKey(LOCAL, kind, meta.namespace, meta.name)
        return key, Source(
            key=key,
            uid=meta.uid,
            resource_version=int(meta.resource_version),
            type=content.type,
            immutable=content.immutable,
            labels=meta.labels or {},
            annotations=meta.annotations or {},
            data=content.data,
            binary_data=content.binary_data,
        )

    return decode


def decode_namespace(raw: bytes | msgspec.Raw) -> tuple[str, Namespace]:
    """Decode a namespace from its metadata."""
    meta = decode_partial(raw).metadata
    return meta.name, Namespace(meta.name, meta.labels or {}, int(meta.resource_version), meta.deletion_timestamp is not None)


def decode_secret_data(raw: bytes | msgspec.Raw) -> tuple[ObjectMeta, Mapping[str, bytes]]:
    """Decode a registration Secret: its metadata and its values."""
    content = _content(Kind.SECRET, _decode_stored(raw))
    return content.metadata, content.data


def decode_declaration(raw: bytes | msgspec.Raw) -> tuple[SyncName, Declaration]:
    """Decode a ClusterSync; one whose spec does not parse comes out with `spec=None` and the reason."""
    stored = _decode_cluster_sync(raw)
    meta = stored.metadata
    annotations, finalizers = meta.annotations or {}, tuple(meta.finalizers or ())
    spec, invalid = None, ""
    try:
        spec = parse_spec(stored.spec or {})
    except InvalidSpec as error:
        invalid = str(error)
    name = SyncName(meta.name)
    return name, Declaration(
        name=name,
        uid=meta.uid,
        resource_version=int(meta.resource_version),
        generation=meta.generation,
        created=meta.creation_timestamp or "",
        deleting=meta.deletion_timestamp is not None,
        finalizers=finalizers,
        has_finalizer=CLEANUP_FINALIZER in finalizers,
        spec=spec,
        invalid=invalid,
        reconcile_requested=annotations.get(RECONCILE_ANNOTATION, ""),
        skip_cleanup=frozenset(filter(None, annotations.get(SKIP_CLEANUP_ANNOTATION, "").split(","))),
        status=stored.status or {},
    )
