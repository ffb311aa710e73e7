"""The writes of one cluster: each verb of a plan as one request (two for a recreation), its answer as an `Outcome`.

The reply of a write goes into the store at once, so that the write counts before its echo comes.
"""

from __future__ import annotations

from msgspec import structs

from clustersync.core.api import Kind
from clustersync.core.errors import AlreadyExists, NotFound
from clustersync.core.model import KINDS, Metadata, Replica, Target
from clustersync.core.render import Rendered, creation_body, recreation_body, release_patch, update_body
from clustersync.core.scoreboard import State
from clustersync.core.store import ReplicaStore
from clustersync.kube.client import FIELD_MANAGER, Client
from clustersync.kube.wire import (
    Interner,
    carried_metadata,
    decode_partial,
    last_manager,
    observed_replica,
    replica_decoder,
)
from clustersync.sync.outcome import WRITTEN, Outcome, Retry, waiting

GONE = "Status"
"""The kind of a DELETE's answer when nothing holds the object any more; else the answer is the object."""


class Writer:
    """Carries out verbs on one cluster. What the API server refuses comes out as an ApiError."""

    def __init__(self, client: Client, store: ReplicaStore, intern: Interner, hub_ids: frozenset[str]) -> None:
        self._client = client
        self._store = store
        self._intern = intern
        self._hub_ids = hub_ids
        # What an object carried that was deleted to be created again: its finalizers, or a refusal, may come in between.
        self._deleted: dict[Target, Metadata] = {}
        self._decode = {kind: replica_decoder(kind, hub_ids, intern) for kind in Kind}

    async def look(self, target: Target) -> Replica | None:
        """Read what lies on a target's place; raises ApiErrors other than NotFound."""
        try:
            raw = await self._client.get(_object_path(target))
        except NotFound:
            return None
        return self._decode[target.kind](raw)[1]

    async def create(self, target: Target, content: Rendered) -> Outcome:
        """POST the replica, so that nothing that is there is ever overwritten; with the foreign metadata of one deleted for it."""
        before = self._deleted.get(target)
        body = creation_body(content, target) if before is None else recreation_body(content, target, before)
        try:
            with self._store.writing(target):
                self._note(target, await self._client.create(_collection_path(target), body), content)
        except AlreadyExists:
            return await self._look_again(target)
        self._deleted.pop(target, None)
        return WRITTEN

    async def update(self, target: Target, content: Rendered, observed: Replica) -> Outcome:
        """PUT our content and marks over the observed revision, everything foreign carried over."""
        before = await self._carried(target, observed)
        body = update_body(content, target, before, uid=observed.uid, resource_version=observed.resource_version)
        with self._store.writing(target):
            self._note(target, await self._client.replace(_object_path(target), body), content)
        return WRITTEN

    async def recreate(self, target: Target, content: Rendered, observed: Replica) -> Outcome:
        """DELETE the observed revision, and POST the new one at once unless a finalizer holds the old."""
        self._deleted[target] = await self._carried(target, observed)
        deletion = await self._delete(target, observed)
        if deletion.state is not State.SYNCED:
            return deletion
        return await self.create(target, content)

    async def delete(self, target: Target, observed: Replica) -> Outcome:
        """DELETE exactly the observed revision, for good."""
        self._deleted.pop(target, None)
        return await self._delete(target, observed)

    async def _delete(self, target: Target, observed: Replica) -> Outcome:
        raw = await self._client.delete(_object_path(target), uid=observed.uid, resource_version=observed.resource_version)
        reply = decode_partial(raw)
        if reply.kind == GONE:
            self._store.mark_gone(target, observed.resource_version)
            return WRITTEN
        held = structs.replace(observed, resource_version=int(reply.metadata.resource_version), deleting=True)
        self._store.written(target, held)
        return waiting("Deleting", "waits for the finalizers of the old object", wrote=True)

    async def release(self, target: Target, observed: Replica) -> Outcome:
        """Take our marks off."""
        await self._client.patch(_object_path(target), release_patch(observed))
        self._store.mark_gone(target, observed.resource_version)
        return WRITTEN

    async def rival(self, target: Target) -> str:
        """Return the field manager that changed the object last, other than us; empty where there is none."""
        try:
            return last_manager(await self._client.get(_object_path(target)), other_than=FIELD_MANAGER)
        except NotFound:
            return ""

    async def _carried(self, target: Target, observed: Replica) -> Metadata:
        """Return the metadata that a write has to carry over, read afresh where it was too large to keep."""
        if not observed.partial:
            return observed.metadata.unpack()
        return carried_metadata(await self._client.get(_object_path(target)))

    async def _look_again(self, target: Target) -> Outcome:
        """Something is there that the store does not know: see what, and plan again."""
        seen = await self.look(target)
        if seen is None:
            return waiting("Stale", "an object of that name went just now", retry=Retry.BACKOFF)
        if seen.ours:
            self._store.upsert(target, seen)
        return Outcome(State.PENDING, "Stale", "", Retry.NOW, seen=seen)

    def _note(self, target: Target, reply: bytes, content: Rendered) -> None:
        """Put what a write left there into the store. Whether admission changed the data shows when the watch brings it back."""
        meta = decode_partial(reply).metadata
        stored = observed_replica(target, meta, (content.type, content.immutable, content.digest), self._hub_ids, self._intern)
        self._store.written(target, structs.replace(stored, provisional=True))


def _collection_path(target: Target) -> str:
    return f"/api/v1/namespaces/{target.namespace}/{KINDS[target.kind].plural}"


def _object_path(target: Target) -> str:
    return f"{_collection_path(target)}/{target.name}"
