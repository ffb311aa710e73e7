"""What is held of a cluster, whatever comes in which order: replies, echoes, lists, and events that are late."""

from __future__ import annotations

import pytest

from clustersync.core.api import Kind
from clustersync.core.model import Namespace, Replica, SyncName, Target
from clustersync.core.store import KindSink, NamespaceStore, ReplicaStore
from tests.builders import TARGET, bare_replica, namespace

OTHER = Target(Kind.SECRET, "team-b", "registry")
CONFIG = Target(Kind.CONFIG_MAP, "team-a", "settings")
A, B = SyncName("a"), SyncName("b")


class Held:
    """A store, the notes it gave, and the door of the watch on Secrets."""

    def __init__(self, *replicas: tuple[Target, Replica]) -> None:
        self.notes: list[Target] = []
        self.store = ReplicaStore(self.notes.append)
        self.watch: KindSink = self.store.sink(Kind.SECRET)
        for target, replica in replicas:
            self.store.sink(target.kind).upsert(target, replica)
        self.notes.clear()

    @property
    def version(self) -> int | None:
        """The revision that is held on the target, None for nothing."""
        replica = self.store.get(TARGET)
        return None if replica is None else replica.resource_version

    @property
    def is_there(self) -> bool:
        """Whether something is on the target that our DELETE did not remove."""
        replica = self.store.get(TARGET)
        return replica is not None and not replica.gone


def holding(version: int = 10, **fields: object) -> Held:
    return Held((TARGET, bare_replica("a", version, **fields)))


# Revisions -------------------------------------------------------------------


def test_a_newer_revision_replaces_an_older_one_and_is_told() -> None:
    held = holding(10)
    held.watch.upsert(TARGET, bare_replica("a", 11))
    assert (held.version, held.notes) == (11, [TARGET])


def test_an_older_revision_is_dropped() -> None:
    held = holding(10)
    held.watch.upsert(TARGET, bare_replica("a", 9))
    assert (held.version, held.notes) == (10, [])


def test_revisions_compare_as_numbers() -> None:
    held = holding(9)
    held.watch.upsert(TARGET, bare_replica("a", 10))
    assert held.version == 10


def test_the_reply_of_a_write_counts_at_once_and_is_not_told() -> None:
    held = holding(10)
    held.store.written(TARGET, bare_replica("a", 11, provisional=True))
    assert (held.version, held.notes) == (11, [])


def test_the_echo_of_a_write_is_no_change_and_confirms_it() -> None:
    held = holding(10)
    held.store.written(TARGET, bare_replica("a", 11, provisional=True))
    held.watch.upsert(TARGET, bare_replica("a", 11))
    stored = held.store.get(TARGET)
    assert stored is not None
    assert (stored.provisional, held.notes) == (False, [])


def test_an_echo_with_another_digest_is_a_change() -> None:
    held = holding(10)
    held.store.written(TARGET, bare_replica("a", 11, provisional=True))
    held.watch.upsert(TARGET, bare_replica("a", 11, digest=b"mutated by admission"))
    stored = held.store.get(TARGET)
    assert stored is not None
    assert (stored.digest, held.notes) == (b"mutated by admission", [TARGET])


def test_the_echo_of_a_write_that_was_overtaken_is_dropped() -> None:
    held = holding(10)
    held.store.written(TARGET, bare_replica("a", 12))
    held.watch.upsert(TARGET, bare_replica("a", 11, digest=b"older"))
    assert (held.version, held.notes) == (12, [])


def test_a_reply_that_comes_after_its_echo_changes_nothing() -> None:
    held = holding(10)
    held.watch.upsert(TARGET, bare_replica("a", 11))
    held.store.written(TARGET, bare_replica("a", 11, provisional=True))
    stored = held.store.get(TARGET)
    assert stored is not None
    assert not stored.provisional


def test_a_reply_that_comes_after_a_later_change_is_dropped() -> None:
    held = holding(10)
    held.watch.upsert(TARGET, bare_replica("a", 12))
    held.store.written(TARGET, bare_replica("a", 11))
    assert held.version == 12


def test_a_reply_that_comes_after_the_object_went_again_brings_nothing_back() -> None:
    held = Held()
    held.watch.upsert(TARGET, bare_replica("a", 11))
    held.watch.delete(TARGET, 12)
    held.store.written(TARGET, bare_replica("a", 11))
    assert held.version is None


def test_a_reply_is_not_mistaken_for_late_because_another_kind_is_ahead() -> None:
    held = Held((CONFIG, bare_replica("a", 100)))
    held.store.written(TARGET, bare_replica("a", 11))
    assert held.version == 11


# Deletions -------------------------------------------------------------------


def test_a_deletion_takes_the_object_and_is_told() -> None:
    held = holding(10)
    held.watch.delete(TARGET, 11)
    assert (held.version, held.notes, len(held.store)) == (None, [TARGET], 0)


def test_a_deletion_that_is_older_than_the_new_object_is_ignored() -> None:
    held = holding(10)
    held.store.written(TARGET, bare_replica("a", 12, uid="new"))
    held.watch.delete(TARGET, 11)
    assert (held.version, held.notes) == (12, [])


def test_a_deletion_of_what_is_not_held_is_ignored() -> None:
    held = Held()
    held.watch.delete(TARGET, 11)
    assert held.notes == []


def test_what_our_delete_removed_counts_as_gone_until_the_watch_says_so() -> None:
    held = holding(10)
    held.store.mark_gone(TARGET, 10)
    assert (held.version, held.is_there, held.store.owned(A)) == (10, False, [])
    held.watch.delete(TARGET, 11)
    assert (held.version, held.notes) == (None, [TARGET])


def test_the_late_echo_of_an_earlier_write_does_not_bring_back_what_our_delete_removed() -> None:
    held = holding(10)
    held.store.mark_gone(TARGET, 10)
    held.watch.upsert(TARGET, bare_replica("a", 10))
    assert not held.is_there


def test_a_new_object_takes_the_place_of_one_that_our_delete_removed() -> None:
    held = holding(10)
    held.store.mark_gone(TARGET, 10)
    held.store.written(TARGET, bare_replica("a", 12, uid="new"))
    held.watch.delete(TARGET, 11)
    assert (held.version, held.is_there) == (12, True)


def test_our_delete_does_not_mark_an_object_that_came_meanwhile() -> None:
    held = holding(10)
    held.watch.delete(TARGET, 11)
    held.watch.upsert(TARGET, bare_replica("a", 12, uid="new"))
    held.store.mark_gone(TARGET, 10)
    assert held.is_there


def test_marking_what_is_not_held_is_ignored() -> None:
    held = Held()
    held.store.mark_gone(TARGET, 10)
    assert held.version is None


# Lists -----------------------------------------------------------------------


def test_a_list_brings_what_is_new_and_sweeps_what_is_older_and_not_in_it() -> None:
    held = Held((TARGET, bare_replica("a", 10)), (OTHER, bare_replica("a", 11)))
    held.watch.replace({OTHER: bare_replica("a", 12)}, 20)
    assert (held.version, len(held.store)) == (None, 1)
    assert set(held.notes) == {TARGET, OTHER}


def test_a_list_spares_what_is_newer_than_itself() -> None:
    held = holding(10)
    held.store.written(OTHER, bare_replica("a", 25))
    held.watch.replace({TARGET: bare_replica("a", 10)}, 20)
    assert (len(held.store), held.notes) == (2, [])


def test_a_list_does_not_take_back_a_newer_revision() -> None:
    held = holding(10)
    held.store.written(TARGET, bare_replica("a", 25))
    held.watch.replace({TARGET: bare_replica("a", 10)}, 20)
    assert held.version == 25


def test_the_same_list_again_is_no_change() -> None:
    held = Held()
    listed = {TARGET: bare_replica("a", 10), OTHER: bare_replica("b", 11)}
    held.watch.replace(listed, 20)
    held.notes.clear()
    held.watch.replace(listed, 30)
    assert held.notes == []


def test_a_list_of_one_kind_leaves_the_other_alone() -> None:
    held = Held((TARGET, bare_replica("a", 10)), (CONFIG, bare_replica("a", 11)))
    held.watch.replace({}, 20)
    assert held.store.get(CONFIG) is not None
    assert held.version is None


def test_a_list_sweeps_what_our_delete_removed() -> None:
    held = holding(10)
    held.store.mark_gone(TARGET, 10)
    held.watch.replace({}, 20)
    assert (held.version, len(held.store)) == (None, 0)


def test_a_list_older_than_the_one_before_starts_a_new_epoch_in_which_nothing_held_counts() -> None:
    held = Held()
    held.watch.replace({TARGET: bare_replica("a", 90), OTHER: bare_replica("a", 95)}, 100)
    held.notes.clear()
    held.watch.replace({TARGET: bare_replica("a", 40)}, 50)
    assert (held.version, held.store.get(OTHER), set(held.notes)) == (40, None, {TARGET, OTHER})


def test_after_a_new_epoch_the_replies_of_writes_count_again() -> None:
    held = Held()
    held.watch.replace({}, 100)
    held.watch.replace({}, 50)
    held.store.written(TARGET, bare_replica("a", 60))
    assert held.version == 60


# Owners ----------------------------------------------------------------------


def owners(held: Held) -> dict[str, list[Target]]:
    return {sync: held.store.owned(sync) for sync in held.store.owners()}


def test_replicas_are_found_by_their_owner() -> None:
    held = Held((TARGET, bare_replica("a")), (OTHER, bare_replica("b")), (CONFIG, bare_replica("a")))
    assert owners(held) == {"a": [TARGET, CONFIG], "b": [OTHER]}


def test_a_replica_that_changes_hands_is_found_by_its_new_owner_alone() -> None:
    held = holding(10)
    held.watch.upsert(TARGET, bare_replica("b", 11))
    assert owners(held) == {"b": [TARGET]}


def test_a_replica_that_turned_foreign_is_held_and_owned_by_nobody() -> None:
    held = holding(10)
    held.watch.upsert(TARGET, bare_replica("a", 11, ours=False))
    assert (held.version, owners(held)) == (11, {})


def test_an_object_that_turned_ours_is_owned() -> None:
    held = holding(10, ours=False)
    held.watch.upsert(TARGET, bare_replica("a", 11))
    assert owners(held) == {"a": [TARGET]}


def test_a_replica_that_is_gone_is_owned_by_nobody() -> None:
    held = holding(10)
    held.watch.delete(TARGET, 11)
    assert owners(held) == {}


# Namespaces ------------------------------------------------------------------


def _name(namespace: Namespace | None) -> str | None:
    return namespace.name if namespace else None


class Namespaces:
    """A namespace store and the notes it gave, as names before and after."""

    def __init__(self, *held: Namespace) -> None:
        self.notes: list[tuple[str | None, str | None]] = []
        self.store = NamespaceStore(lambda before, after: self.notes.append((_name(before), _name(after))))
        for each in held:
            self.store.upsert(each.name, each)
        self.notes.clear()


def test_a_new_namespace_is_told() -> None:
    held = Namespaces()
    held.store.upsert("team-a", namespace("team-a"))
    assert held.notes == [(None, "team-a")]
    assert held.store.get("team-a") == namespace("team-a")


def test_a_namespace_that_went_is_told_and_forgotten() -> None:
    held = Namespaces(namespace("team-a"))
    held.store.delete("team-a", 9)
    assert (held.notes, held.store.get("team-a"), len(held.store)) == ([("team-a", None)], None, 0)


def test_a_namespace_that_is_not_held_cannot_go() -> None:
    held = Namespaces()
    held.store.delete("team-a", 9)
    assert held.notes == []


@pytest.mark.parametrize(
    ("after", "told"),
    [
        pytest.param(namespace("team-a", {"team": "b"}), True, id="other labels"),
        pytest.param(namespace("team-a", terminating=True), True, id="terminating"),
        pytest.param(Namespace("team-a", {"team": "a"}, 99), False, id="another revision alone"),
    ],
)
def test_a_change_is_told_when_it_could_matter(after: Namespace, told: bool) -> None:
    held = Namespaces(namespace("team-a"))
    held.store.upsert("team-a", after)
    assert bool(held.notes) is told
    assert held.store.get("team-a") == after


def test_a_list_of_namespaces_is_the_truth() -> None:
    held = Namespaces(namespace("stays"), namespace("goes"), namespace("changes"))
    listed = [namespace("stays"), namespace("comes"), namespace("changes", {})]
    held.store.replace({each.name: each for each in listed}, 5)
    assert {each.name for each in held.store.all()} == {"stays", "comes", "changes"}
    assert set(held.notes) == {("goes", None), (None, "comes"), ("changes", "changes")}
