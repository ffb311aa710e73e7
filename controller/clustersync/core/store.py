"""What one cluster holds, as far as we care: its namespaces, and the objects that carry our hub id.

Versions are resourceVersions of one cluster, which compare as integers; whatever is older than what is held is dropped, so own
writes count at once and their echoes cost one comparison. All methods are synchronous; `on_change` only takes notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from clustersync.core.api import Kind
from clustersync.core.model import Namespace, Replica, SyncName, Target

NOTHING_SEEN = 0
"""In place of the resourceVersion that the watch brought while a write was under way."""


class NamespaceStore:
    """The namespaces of one cluster. `on_change` gets each one before and after, None where it is not there."""

    def __init__(self, on_change: Callable[[Namespace | None, Namespace | None], None]) -> None:
        self._on_change = on_change
        self._namespaces: dict[str, Namespace] = {}

    def __len__(self) -> int:
        return len(self._namespaces)

    def get(self, name: str) -> Namespace | None:
        """Return the namespace, None if there is none of that name."""
        return self._namespaces.get(name)

    def all(self) -> list[Namespace]:
        """Return all namespaces as they are now."""
        return list(self._namespaces.values())

    def replace(self, items: Mapping[str, Namespace], version: int) -> None:
        """Take in a whole list; it is the truth even where it is older, as after a restore of etcd."""
        before, self._namespaces = self._namespaces, dict(items)
        for name in before.keys() | items.keys():
            self._tell(before.get(name), items.get(name))

    def upsert(self, key: str, value: Namespace) -> None:
        """Take in one namespace."""
        before = self._namespaces.get(key)
        self._namespaces[key] = value
        self._tell(before, value)

    def delete(self, key: str, version: int) -> None:
        """Take in that a namespace went."""
        before = self._namespaces.pop(key, None)
        if before is not None:
            self._tell(before, None)

    def _tell(self, before: Namespace | None, after: Namespace | None) -> None:
        if before is None or after is None or (before.labels, before.terminating) != (after.labels, after.terminating):
            self._on_change(before, after)


class ReplicaStore:
    """The objects of one cluster that carry our hub id, by target and by owner."""

    def __init__(self, on_change: Callable[[Target], None]) -> None:
        self._on_change = on_change
        self._replicas: dict[Target, Replica] = {}
        self._owned: dict[SyncName, dict[Target, None]] = {}
        self._in_flight: dict[Target, int] = {}
        self._listed: dict[Kind, int] = {}
        self._watched: dict[Kind, int] = {}

    def __len__(self) -> int:
        return len(self._replicas)

    def get(self, target: Target) -> Replica | None:
        """Return what lies there, None if nothing with our hub id does."""
        return self._replicas.get(target)

    def owned(self, sync: SyncName) -> list[Target]:
        """Return the targets whose replicas are ours and name this ClusterSync, but for those that our DELETE removed."""
        return list(self.each_owned(sync))

    def each_owned(self, sync: SyncName) -> Iterator[Target]:
        """Yield the same one by one, for who needs to see only the first; not to be kept over a change."""
        return (target for target in self._owned.get(sync, ()) if not self._replicas[target].gone)

    def owners(self) -> Iterable[SyncName]:
        """Return every ClusterSync that some replica names."""
        return self._owned.keys()

    def sink(self, kind: Kind) -> KindSink:
        """Return the door for the informer of one kind."""
        return KindSink(self, kind)

    def upsert(self, target: Target, replica: Replica) -> None:
        """Take in what a watch or a GET brought; what our DELETE removed does not come back with an old revision."""
        before = self._replicas.get(target)
        if before is not None and before.resource_version > replica.resource_version:
            return
        if before is not None and before.resource_version == replica.resource_version:
            if before.gone:
                return
            self._put(target, _compared(replica, before) if before.provisional else replica)
            if before.digest != replica.digest:
                self._on_change(target)
            return
        self._put(target, replica)
        if target in self._in_flight:
            self._in_flight[target] = replica.resource_version
        else:
            self._on_change(target)

    @contextmanager
    def writing(self, target: Target) -> Iterator[None]:
        """Have what the watch brings about `target` compared with the reply that the block hands to `written`: an echo is no change."""
        self._in_flight[target] = NOTHING_SEEN
        try:
            yield
        finally:
            if self._in_flight.pop(target) != NOTHING_SEEN:
                self._on_change(target)

    def is_writing(self, kind: Kind, name: str) -> bool:
        """Whether a write to any object of this kind and name is under way."""
        return any((target.kind, target.name) == (kind, name) for target in self._in_flight)

    def written(self, target: Target, replica: Replica) -> None:
        """Take in the reply to our own write; the watch may have been faster and knows better, also that it is gone again."""
        before = self._replicas.get(target)
        if before is None and replica.resource_version <= self._watched.get(target.kind, 0):
            return
        if before is None or before.resource_version < replica.resource_version:
            self._put(target, replica)
        elif before.resource_version == replica.resource_version:
            self._put(target, _compared(before, replica))
            if before.digest == replica.digest and target in self._in_flight:
                self._in_flight[target] = NOTHING_SEEN

    def mark_gone(self, target: Target, version: int) -> None:
        """Take in that our DELETE removed the object in this revision; it stays, marked, until the watch says so too."""
        before = self._replicas.get(target)
        if before is not None and before.resource_version == version:
            self._put(target, msgspec.structs.replace(before, gone=True))

    def delete(self, target: Target, version: int) -> None:
        """Take in that an object went, or lost our hub id."""
        before = self._replicas.get(target)
        if before is not None and before.resource_version <= version:
            self._drop(target)
            self._on_change(target)

    def replace(self, kind: Kind, items: Mapping[Target, Replica], version: int) -> None:
        """Take in the whole state of a kind. A list older than one before starts a new epoch, in which nothing held counts."""
        restored = version < self._listed.get(kind, 0)
        self._listed[kind] = version
        self._watched[kind] = version if restored else max(version, self._watched.get(kind, 0))
        mine = [target for target in self._replicas if target.kind is kind]
        for target in mine:
            if restored or (target not in items and self._replicas[target].resource_version <= version):
                self._drop(target)
                self._on_change(target)
        for target, replica in items.items():
            self.upsert(target, replica)

    def watched(self, kind: Kind, version: int) -> None:
        """Note how far the watch of a kind has come."""
        self._watched[kind] = max(version, self._watched.get(kind, 0))

    def _put(self, target: Target, replica: Replica) -> None:
        before = self._replicas.get(target)
        if before is not None and (before.owner, before.ours) != (replica.owner, replica.ours):
            self._disown(target, before)
        if replica.ours:
            self._owned.setdefault(replica.owner, {})[target] = None
        self._replicas[target] = replica

    def _drop(self, target: Target) -> None:
        self._disown(target, self._replicas.pop(target))

    def _disown(self, target: Target, replica: Replica) -> None:
        owned = self._owned.get(replica.owner)
        if owned is not None:
            owned.pop(target, None)
            if not owned:
                del self._owned[replica.owner]


def _compared(stored: Replica, written: Replica) -> Replica:
    """Return what is stored, with a note of what we wrote where admission changed it on the way."""
    return stored if stored.digest == written.digest else msgspec.structs.replace(stored, intended=written.digest)


class KindSink:
    """Takes in what the informer of one kind brings."""

    def __init__(self, store: ReplicaStore, kind: Kind) -> None:
        self._store = store
        self._kind = kind

    def replace(self, items: Mapping[Target, Replica], version: int) -> None:
        """Take in the whole state of the kind."""
        self._store.replace(self._kind, items, version)

    def upsert(self, key: Target, value: Replica) -> None:
        """Take in one object."""
        self._store.watched(self._kind, value.resource_version)
        self._store.upsert(key, value)

    def delete(self, key: Target, version: int) -> None:
        """Take in that an object went."""
        self._store.watched(self._kind, version)
        self._store.delete(key, version)
