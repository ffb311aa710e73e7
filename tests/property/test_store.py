"""The store against a cluster whose truth is known: watch, replies and lists may come in any order that a real one can produce."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clustersync.core.api import Kind
from clustersync.core.model import Replica, SyncName, Target
from clustersync.core.store import ReplicaStore
from tests.builders import bare_replica

SYNCS = ["a", "b"]
TARGETS = [Target(Kind.SECRET, f"ns-{number}", "registry") for number in range(3)]
A_TARGET, AN_OWNER = st.sampled_from(TARGETS), st.sampled_from(SYNCS)
ANY = st.integers(0, 1000)


class Cluster(RuleBasedStateMachine):
    """A cluster with a clock of revisions. Events wait for the watch in order, replies to our own writes come when they like."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = 100
        self.truth: dict[Target, Replica] = {}
        self.events: list[tuple[Target, Replica | None, int]] = []
        self.replies: list[tuple[Target, Replica]] = []
        self.deletions: list[tuple[Target, int]] = []
        self.latest: dict[Target, tuple[int, bool]] = {}
        self.store = ReplicaStore(lambda target: None)
        self.watch = self.store.sink(Kind.SECRET)

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def put(self, at: Target, owner: str, digest: int, ours: bool = True) -> Replica:
        before = self.truth.get(at)
        version = self.tick()
        uid = before.uid if before else f"uid-{version}"
        stored = bare_replica(owner, version, uid=uid, digest=bytes([digest % 256]), ours=ours)
        self.truth[at] = stored
        self.events.append((at, stored, version))
        return stored

    def told(self, at: Target, version: int, there: bool) -> None:
        """Note the latest thing that the store was told about a target."""
        self.latest[at] = max(self.latest.get(at, (0, False)), (version, there))

    # What happens on the cluster

    @rule(at=A_TARGET, owner=AN_OWNER, digest=ANY, ours=st.booleans())
    def somebody_writes(self, at: Target, owner: str, digest: int, ours: bool) -> None:
        self.put(at, owner, digest, ours)

    @rule(at=A_TARGET, owner=AN_OWNER, digest=ANY)
    def we_write(self, at: Target, owner: str, digest: int) -> None:
        self.replies.append((at, self.put(at, owner, digest)))

    @rule(at=A_TARGET)
    def somebody_deletes(self, at: Target) -> None:
        if self.truth.pop(at, None):
            self.events.append((at, None, self.tick()))

    @rule(at=A_TARGET)
    def we_delete(self, at: Target) -> None:
        """As the worker does: exactly the revision that the store holds, so only where that is the true one."""
        held, there = self.store.get(at), self.truth.get(at)
        if held is not None and not held.gone and there is not None and held.resource_version == there.resource_version:
            del self.truth[at]
            self.events.append((at, None, self.tick()))
            self.deletions.append((at, held.resource_version))

    # What reaches the store

    @precondition(lambda self: self.events)
    @rule(number=st.integers(1, 3))
    def the_watch_delivers(self, number: int) -> None:
        for at, stored, version in self.events[:number]:
            self.told(at, version, stored is not None)
            if stored is None:
                self.watch.delete(at, version)
            else:
                self.watch.upsert(at, stored)
        del self.events[:number]

    @precondition(lambda self: self.replies)
    @rule(pick=ANY)
    def a_reply_arrives(self, pick: int) -> None:
        at, stored = self.replies.pop(pick % len(self.replies))
        self.told(at, stored.resource_version, True)
        self.store.written(at, stored)

    @precondition(lambda self: self.deletions)
    @rule(pick=ANY)
    def a_deletion_is_answered(self, pick: int) -> None:
        self.store.mark_gone(*self.deletions.pop(pick % len(self.deletions)))

    @rule()
    def the_watch_is_lost_and_lists_anew(self) -> None:
        self.events.clear()
        for target in TARGETS:
            self.told(target, self.clock, target in self.truth)
        self.watch.replace(dict(self.truth), self.clock)

    # What must hold

    @invariant()
    def the_latest_that_was_told_counts(self) -> None:
        for target in TARGETS:
            assert (self.store.get(target) is not None) == self.latest.get(target, (0, False))[1]

    @invariant()
    def the_index_of_owners_equals_a_recount(self) -> None:
        held = {target: replica for target in TARGETS if (replica := self.store.get(target)) is not None}
        for sync in map(SyncName, SYNCS):
            mine = {target for target, replica in held.items() if replica.ours and replica.owner == sync}
            assert set(self.store.owned(sync)) == {target for target in mine if not held[target].gone}
            assert (sync in set(self.store.owners())) == bool(mine)
        assert len(self.store) == len(held)

    @invariant()
    def what_is_held_is_true_once_everything_has_arrived(self) -> None:
        if self.events or self.replies or self.deletions:
            return
        for target in TARGETS:
            held, there = self.store.get(target), self.truth.get(target)
            assert held == there, f"{target}: holds {held}, there is {there}"

    def teardown(self) -> None:
        """Whatever is under way arrives in the end, and then the store is true."""
        while self.replies:
            self.a_reply_arrives(0)
        while self.deletions:
            self.a_deletion_is_answered(0)
        while self.events:
            self.the_watch_delivers(3)
        self.what_is_held_is_true_once_everything_has_arrived()


TestCluster = Cluster.TestCase
