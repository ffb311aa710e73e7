"""The table of the design's section 4, row by row."""

import pytest

from clustersync.core.api import DeletionPolicy
from clustersync.core.model import HUB_LABEL, MANAGED_BY_LABEL, Metadata, Replica
from clustersync.core.plan import ConflictPolicy, Desired, Undecided, Unwanted, Verb, Wanted, plan
from tests.builders import foreign, marks, rendered, replica

CONTENT = rendered({"password": b"one"}, labels={"tier": "gold"}, annotations={"note": "ours"})
OTHER_TYPE = rendered({"password": b"one"}, type="kubernetes.io/basic-auth")
IMMUTABLE = rendered({"password": b"one"}, immutable=True)
ELSEWHERE = rendered({"password": b"two"})

REFUSE = Wanted(CONTENT, ConflictPolicy.REFUSE)
ADOPT = Wanted(CONTENT, ConflictPolicy.ADOPT)
OVERWRITE = Wanted(CONTENT, ConflictPolicy.OVERWRITE)
DELETE = Unwanted(DeletionPolicy.DELETE)
RETAIN = Unwanted(DeletionPolicy.RETAIN)

IN_SYNC = replica(CONTENT)


def relabelled(**labels: str | None) -> Replica:
    """Our replica with labels changed by hand; None takes one off."""
    kept = {key: value for key, value in (CONTENT.labels | labels).items() if value is not None}
    return replica(CONTENT, metadata=Metadata(kept, dict(CONTENT.annotations)))


def annotated(annotations: dict[str, str]) -> Replica:
    return replica(CONTENT, metadata=Metadata(dict(CONTENT.labels), annotations))


WITHOUT_MANAGED_BY = {key: value for key, value in CONTENT.labels.items() if key != MANAGED_BY_LABEL}

WANTED: dict[str, tuple[Desired, Replica | None, Verb]] = {
    "nothing there is created": (REFUSE, None, Verb.CREATE),
    "nothing there is created under Adopt": (ADOPT, None, Verb.CREATE),
    "nothing there is created under Overwrite": (OVERWRITE, None, Verb.CREATE),
    "what our DELETE removed counts as nothing": (REFUSE, replica(CONTENT, gone=True), Verb.CREATE),
    "ours and equal stays as it is": (REFUSE, IN_SYNC, Verb.NOTHING),
    "ours and equal stays under Overwrite": (OVERWRITE, IN_SYNC, Verb.NOTHING),
    "ours with other data is updated": (REFUSE, replica(CONTENT, digest=ELSEWHERE.digest), Verb.UPDATE),
    "ours with a label edited is updated": (REFUSE, relabelled(tier="lead"), Verb.UPDATE),
    "ours with a label taken off is updated": (REFUSE, relabelled(tier=None), Verb.UPDATE),
    "ours with a foreign label more stays as it is": (REFUSE, relabelled(theirs="x"), Verb.NOTHING),
    "ours with an annotation taken off is updated": (
        REFUSE,
        annotated({key: value for key, value in CONTENT.annotations.items() if key != "note"}),
        Verb.UPDATE,
    ),
    "ours with a foreign annotation more stays as it is": (REFUSE, annotated(CONTENT.annotations | {"theirs": "x"}), Verb.NOTHING),
    "ours whose managed keys name one that was dropped is updated": (
        REFUSE,
        annotated(CONTENT.annotations | {"clustersync.io/managed-keys": "labels/old,labels/tier,annotations/note"}),
        Verb.UPDATE,
    ),
    "ours of another ClusterSync is taken over by an update": (REFUSE, relabelled(**{"clustersync.io/sync": "older"}), Verb.UPDATE),
    "ours of a former hub id is re-marked": (REFUSE, relabelled(**{HUB_LABEL: "former"}), Verb.UPDATE),
    "ours without the managed-by label is updated": (
        REFUSE,
        replica(CONTENT, metadata=Metadata(WITHOUT_MANAGED_BY, dict(CONTENT.annotations))),
        Verb.UPDATE,
    ),
    "ours with a foreign managed-by label stays as it is": (REFUSE, relabelled(**{MANAGED_BY_LABEL: "Helm"}), Verb.NOTHING),
    "ours of another type is recreated": (Wanted(OTHER_TYPE), IN_SYNC, Verb.RECREATE),
    "ours and immutable with other data is recreated": (REFUSE, replica(ELSEWHERE, immutable=True, digest=b"other"), Verb.RECREATE),
    "ours and immutable where it should not be is recreated": (REFUSE, replica(IMMUTABLE), Verb.RECREATE),
    "ours that has to become immutable is updated in place": (Wanted(IMMUTABLE), IN_SYNC, Verb.UPDATE),
    "ours and immutable with only a label edited is updated": (
        Wanted(IMMUTABLE),
        replica(IMMUTABLE, metadata=Metadata(marks(), {})),
        Verb.UPDATE,
    ),
    "ours being deleted is waited for": (REFUSE, replica(CONTENT, deleting=True), Verb.WAIT),
    "foreign being deleted is waited for": (REFUSE, foreign(deleting=True), Verb.WAIT),
    "foreign being deleted is waited for under Overwrite": (OVERWRITE, foreign(deleting=True), Verb.WAIT),
    "foreign stays under Refuse": (REFUSE, foreign(), Verb.CONFLICT),
    "foreign stays under Refuse even when it is equal": (REFUSE, foreign({"password": b"one"}), Verb.CONFLICT),
    "foreign and equal is adopted": (ADOPT, foreign({"password": b"one"}), Verb.UPDATE),
    "foreign with other data is not adopted": (ADOPT, foreign({"password": b"two"}), Verb.CONFLICT),
    "foreign of another type is not adopted": (ADOPT, foreign({"password": b"one"}, type="x"), Verb.CONFLICT),
    "foreign and equal is adopted and made immutable": (
        Wanted(IMMUTABLE, ConflictPolicy.ADOPT),
        foreign({"password": b"one"}),
        Verb.UPDATE,
    ),
    "foreign, equal and immutable is adopted where it should be": (
        Wanted(IMMUTABLE, ConflictPolicy.ADOPT),
        foreign({"password": b"one"}, immutable=True),
        Verb.UPDATE,
    ),
    "foreign and immutable is not adopted where it should not be, as that takes a deletion": (
        ADOPT,
        foreign({"password": b"one"}, immutable=True),
        Verb.CONFLICT,
    ),
    "foreign is overwritten": (OVERWRITE, foreign(), Verb.UPDATE),
    "foreign and equal is marked under Overwrite": (OVERWRITE, foreign({"password": b"one"}), Verb.UPDATE),
    "foreign of another type is recreated under Overwrite": (OVERWRITE, foreign(type="x"), Verb.RECREATE),
    "foreign and immutable is recreated under Overwrite": (OVERWRITE, foreign(immutable=True), Verb.RECREATE),
    "foreign, equal and immutable as it should be is marked under Overwrite": (
        Wanted(IMMUTABLE, ConflictPolicy.OVERWRITE),
        foreign({"password": b"one"}, immutable=True),
        Verb.UPDATE,
    ),
    "a copy of a replica is foreign": (REFUSE, replica(CONTENT, ours=False), Verb.CONFLICT),
    "a copy of a replica is overwritten under Overwrite": (OVERWRITE, replica(CONTENT, ours=False), Verb.UPDATE),
    "an object of another hub stays under Refuse": (REFUSE, foreign(metadata=Metadata(marks(hub="hub-2"))), Verb.CONFLICT),
    "an object of another hub stays under Adopt": (
        ADOPT,
        foreign({"password": b"one"}, metadata=Metadata(marks(hub="hub-2"))),
        Verb.CONFLICT,
    ),
    "an object of another hub stays under Overwrite": (OVERWRITE, foreign(metadata=Metadata(marks(hub="hub-2"))), Verb.CONFLICT),
}

UNWANTED: dict[str, tuple[Desired, Replica | None, Verb]] = {
    "nothing there needs nothing": (DELETE, None, Verb.NOTHING),
    "ours is deleted": (DELETE, IN_SYNC, Verb.DELETE),
    "ours is released under Retain": (RETAIN, IN_SYNC, Verb.RELEASE),
    "ours with foreign edits is deleted too": (DELETE, relabelled(theirs="x"), Verb.DELETE),
    "ours being deleted is waited for": (DELETE, replica(CONTENT, deleting=True), Verb.WAIT),
    "ours being deleted is waited for under Retain": (RETAIN, replica(CONTENT, deleting=True), Verb.WAIT),
    "what our DELETE removed needs nothing more": (DELETE, replica(CONTENT, gone=True), Verb.NOTHING),
    "foreign stays": (DELETE, foreign(), Verb.NOTHING),
    "foreign stays under Retain": (RETAIN, foreign(), Verb.NOTHING),
    "foreign being deleted is nobody's business": (DELETE, foreign(deleting=True), Verb.NOTHING),
    "a copy of a replica stays": (DELETE, replica(CONTENT, ours=False), Verb.NOTHING),
    "an object of another hub stays": (DELETE, foreign(metadata=Metadata(marks(hub="hub-2"))), Verb.NOTHING),
}


@pytest.mark.parametrize(("desired", "observed", "verb"), WANTED.values(), ids=WANTED.keys())
def test_where_a_replica_is_wanted(desired: Desired, observed: Replica | None, verb: Verb) -> None:
    assert plan(desired, observed) is verb


@pytest.mark.parametrize(("desired", "observed", "verb"), UNWANTED.values(), ids=UNWANTED.keys())
def test_where_no_replica_is_wanted(desired: Desired, observed: Replica | None, verb: Verb) -> None:
    assert plan(desired, observed) is verb


@pytest.mark.parametrize("desired", list(Undecided))
@pytest.mark.parametrize("observed", [None, IN_SYNC, replica(CONTENT, deleting=True), replica(CONTENT, digest=b"drifted"), foreign()])
def test_what_is_undecided_moves_nothing(desired: Undecided, observed: Replica | None) -> None:
    assert plan(desired, observed) is Verb.NOTHING
