"""The values everything else speaks of: clusters, targets, namespaces, sources, replicas, and the marks a replica carries.

Sizes matter here: a controller holds one `Replica` for each target, so it keeps a digest and interned metadata, never data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, NewType

import msgspec

from clustersync.core.api import Kind

ClusterName = NewType("ClusterName", str)
SyncName = NewType("SyncName", str)

LOCAL = ClusterName("local")
"""The hub's own name among the clusters."""

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "clustersync"
HUB_LABEL = "clustersync.io/hub"
SYNC_LABEL = "clustersync.io/sync"
OPT_OUT_LABEL = "clustersync.io/opt-out"
SOURCE_ANNOTATION = "clustersync.io/source"
TARGET_ANNOTATION = "clustersync.io/target"
MANAGED_KEYS_ANNOTATION = "clustersync.io/managed-keys"
CLEANUP_FINALIZER = "clustersync.io/cleanup"
SKIP_CLEANUP_ANNOTATION = "clustersync.io/skip-cleanup"
RECONCILE_ANNOTATION = "clustersync.io/reconcile-requested-at"


class KindInfo(NamedTuple):
    """How Secret and ConfigMap differ; everything else about them is the same code."""

    plural: str
    default_type: str
    """The type of an object that names none; a ConfigMap has none."""


KINDS: Mapping[Kind, KindInfo] = {
    Kind.SECRET: KindInfo("secrets", "Opaque"),
    Kind.CONFIG_MAP: KindInfo("configmaps", ""),
}


class Target(NamedTuple):
    """Where a replica belongs, within one cluster."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class SourceKey(NamedTuple):
    """Which object is copied."""

    cluster: ClusterName
    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def mark(self) -> str:
        """The value of the source annotation."""
        return f"{self.cluster}/{self.namespace}/{self.name}"


class Namespace(msgspec.Struct, frozen=True, gc=False):
    """A namespace of a target cluster, as far as selection needs it."""

    name: str
    labels: dict[str, str]
    resource_version: int
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """An object to copy, whole. `data` and `binary_data` hold decoded values (a ConfigMap's text as UTF-8)."""

    key: SourceKey
    uid: str
    resource_version: int
    type: str
    immutable: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    data: Mapping[str, bytes] = field(repr=False)
    binary_data: Mapping[str, bytes] = field(repr=False)

    @property
    def is_replica(self) -> bool:
        """Whether some hub's controller made it: never a source, so there are no chains (design, section 3)."""
        return HUB_LABEL in self.labels


class Metadata(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The metadata of a stored object that an update has to carry over.

    `annotations` lacks the target mark, which differs in every replica; `owner_references` is raw JSON.
    """

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
    owner_references: msgspec.Raw = msgspec.Raw(b"[]")


class PackedMetadata(msgspec.Struct, frozen=True, weakref=True):
    """Encoded `Metadata`, shared by all replicas that carry the same."""

    encoded: bytes

    def unpack(self) -> Metadata:
        """Return the metadata it holds."""
        return _METADATA.decode(self.encoded)


_METADATA = msgspec.json.Decoder(Metadata)
_ENCODER = msgspec.json.Encoder(order="deterministic")


def pack(metadata: Metadata) -> bytes:
    """Encode `metadata` so that equal metadata gives equal bytes."""
    return _ENCODER.encode(metadata)


class Replica(msgspec.Struct, frozen=True, gc=False):
    """What is known of an object that lies on a target's place.

    It is `ours` when it carries our hub id and says that it belongs where it lies; else it is foreign, whatever its labels say.
    `owner` is the ClusterSync it names. `metadata` is `partial` where the foreign part is too large to keep: then it holds our
    own keys only, and the object is read before a write.
    """

    uid: str
    resource_version: int
    digest: bytes
    type: str
    owner: SyncName
    metadata: PackedMetadata
    partial: bool = False
    immutable: bool = False
    ours: bool = False
    deleting: bool = False
    """A deletionTimestamp is set; a finalizer holds it."""
    gone: bool = False
    """Our DELETE was answered, and no finalizer was left; only the watch has not said so yet."""
    provisional: bool = False
    """The digest is what we wrote; whether it is what was stored shows when the watch brings it back."""
    intended: bytes = b""
    """The digest of what we wrote where admission stored something else."""
