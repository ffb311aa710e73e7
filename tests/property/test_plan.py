"""Plans carried out on a model of one stored object: they come to rest, and nothing foreign is touched on the way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from clustersync.core.api import DeletionPolicy, Kind
from clustersync.core.model import (
    HUB_LABEL,
    LOCAL,
    MANAGED_BY_LABEL,
    MANAGED_KEYS_ANNOTATION,
    SOURCE_ANNOTATION,
    SYNC_LABEL,
    TARGET_ANNOTATION,
    Replica,
    Source,
    SourceKey,
    SyncName,
    Target,
)
from clustersync.core.plan import ConflictPolicy, Undecided, Unwanted, Verb, Wanted, plan
from clustersync.core.render import Rendered, creation_body, recreation_body, release_patch, render, update_body
from clustersync.kube.wire import Interner, carried_metadata, replica_decoder
from tests.builders import HUB, source

Json = dict[str, Any]

FORMER = "former-hub"
MARKS = {MANAGED_BY_LABEL, HUB_LABEL, SYNC_LABEL, SOURCE_ANNOTATION, TARGET_ANNOTATION, MANAGED_KEYS_ANNOTATION}
SETTLED = (Verb.NOTHING, Verb.CONFLICT)

KINDS = st.sampled_from(Kind)

# Some keys may be ours or theirs, which is where it gets interesting.
OURS = st.dictionaries(st.sampled_from(["tier", "app", "example.com/note"]), st.sampled_from(["gold", "lead", ""]), max_size=3)
THEIRS = st.dictionaries(
    st.sampled_from(["app", "theirs", "example.com/status", "clustersync.io/other"]),
    st.sampled_from(["x", "gold", "y" * 2000]),
    max_size=3,
)
DATA = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.binary(max_size=3), max_size=3)
TEXT = st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=3).map(str.encode), max_size=2)


@st.composite
def sources(draw: st.DrawFn, kinds: st.SearchStrategy[Kind] = KINDS) -> Source:
    kind = draw(kinds)
    is_secret = kind is Kind.SECRET
    return source(
        draw(DATA if is_secret else TEXT),
        key=SourceKey(LOCAL, kind, "platform", "registry"),
        binary_data={} if is_secret else draw(st.dictionaries(st.just("blob"), st.binary(max_size=3))),
        type=draw(st.sampled_from(["Opaque", "example.com/x"])) if is_secret else None,
        immutable=draw(st.booleans()),
        labels=draw(OURS),
        annotations=draw(OURS),
    )


def render_or_fail(origin: Source, sync: str = "registry", hub: str = HUB) -> Rendered:
    content = render(origin, SyncName(sync), hub)
    assert isinstance(content, Rendered)
    return content


def target_of(content: Rendered) -> Target:
    return Target(content.kind, "team-a", "registry")


class Place:
    """One object's place on an API server: it stores what it gets, holds what a finalizer holds, refuses what is immutable."""

    def __init__(self, target: Target, stored: Json | None) -> None:
        self.target = target
        self.stored = stored
        self.writes = 0

    def observe(self) -> Replica | None:
        if self.stored is None:
            return None
        raw = json.dumps(self.stored).encode()
        return replica_decoder(self.target.kind, frozenset({HUB, FORMER}), Interner())(raw)[1]

    def carry_out(self, verb: Verb, content: Rendered | None) -> None:
        observed = self.observe()
        if verb is Verb.WAIT:
            self.stored = None  # whoever holds the finalizer takes it off in the end
            return
        self.writes += 1
        match verb, content, observed:
            case Verb.CREATE, Rendered(), None:
                self.store(json.loads(creation_body(content, self.target)))
            case Verb.UPDATE, Rendered(), Replica():
                self.update(content, observed)
            case Verb.RECREATE, Rendered(), Replica():
                metadata = carried_metadata(json.dumps(self.stored).encode())
                self.delete()
                if self.stored is None:
                    self.store(json.loads(recreation_body(content, self.target, metadata)))
            case Verb.DELETE, _, Replica():
                self.delete()
            case Verb.RELEASE, _, Replica():
                self.release(json.loads(release_patch(observed))["metadata"])
            case _:
                raise AssertionError(f"{verb} on {observed}")

    def update(self, content: Rendered, observed: Replica) -> None:
        assert self.stored is not None
        before = carried_metadata(json.dumps(self.stored).encode()) if observed.partial else observed.metadata.unpack()
        new = json.loads(update_body(content, self.target, before, uid=observed.uid, resource_version=observed.resource_version))
        assert (new["metadata"]["uid"], int(new["metadata"]["resourceVersion"])) == (observed.uid, observed.resource_version)
        assert new.get("type") == self.stored.get("type"), "a type cannot change in place"
        if self.stored.get("immutable"):
            assert new.get("immutable"), "immutable cannot be taken off"
            assert all((new.get(part) or {}) == (self.stored.get(part) or {}) for part in ("data", "binaryData"))
        self.store(new)

    def store(self, new: Json) -> None:
        new["metadata"].setdefault("uid", "new-uid")
        new["metadata"]["resourceVersion"] = str(self.writes + 100)
        self.stored = new

    def delete(self) -> None:
        assert self.stored is not None
        if self.stored["metadata"].get("finalizers"):
            self.stored["metadata"]["deletionTimestamp"] = "2026-05-20T11:00:00Z"
        else:
            self.stored = None

    def release(self, patch: Json) -> None:
        assert self.stored is not None
        for part in ("labels", "annotations"):
            for key, value in patch[part].items():
                assert value is None
                self.stored["metadata"].get(part, {}).pop(key, None)


@st.composite
def foreign_objects(draw: st.DrawFn, kind: Kind) -> Json:
    """What somebody else may have put there: plain, of another hub, a copy of a replica, or with some of our marks."""
    stored: Json = {"kind": kind.value, "metadata": draw(foreign_metadata())}
    stored["data"] = draw(st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["", "QQ=="]), max_size=2))
    if kind is Kind.SECRET:
        stored["type"] = draw(st.sampled_from(["Opaque", "example.com/x"]))
    if draw(st.booleans()):
        stored["immutable"] = True
    match draw(st.sampled_from(["plain", "another hub", "copy", "half marked"])):
        case "another hub":
            stored["metadata"]["labels"] |= {HUB_LABEL: "another-hub", SYNC_LABEL: "theirs"}
            stored["metadata"]["annotations"][TARGET_ANNOTATION] = "team-a/registry"
        case "copy":
            stored["metadata"]["labels"] |= {HUB_LABEL: HUB, SYNC_LABEL: "registry"}
            stored["metadata"]["annotations"][TARGET_ANNOTATION] = "team-b/registry"
        case "half marked":
            stored["metadata"]["annotations"][TARGET_ANNOTATION] = "team-a/registry"
    return stored


@st.composite
def foreign_metadata(draw: st.DrawFn) -> Json:
    return {
        "namespace": "team-a",
        "name": "registry",
        "uid": "their-uid",
        "resourceVersion": "7",
        "labels": draw(THEIRS),
        "annotations": draw(THEIRS),
        "finalizers": draw(st.lists(st.just("example.com/hold"), max_size=1)),
        "ownerReferences": draw(st.lists(st.just({"uid": "owner", "name": "ü", "later": {"field": 1.5}}), max_size=1)),
    }


@st.composite
def own_replicas(draw: st.DrawFn, kind: Kind) -> Json:
    """A replica of whatever the source was once, by this hub id or a former one, with anything done to it since."""
    once = draw(sources(st.just(kind)))
    content = render_or_fail(once, draw(st.sampled_from(["registry", "older"])), draw(st.sampled_from([HUB, FORMER])))
    stored: Json = json.loads(creation_body(content, target_of(content)))
    theirs = draw(foreign_metadata())
    for part in ("labels", "annotations"):
        theirs[part] = theirs[part] | stored["metadata"][part]
    stored["metadata"] = theirs
    if draw(st.booleans()):
        stored["data"] = {**stored["data"], "extra": "QQ=="}
    for key in draw(st.sets(st.sampled_from(["tier", "app", SYNC_LABEL, MANAGED_BY_LABEL]))):
        stored["metadata"]["labels"].pop(key, None)
    if draw(st.booleans()):
        stored["metadata"]["labels"][MANAGED_BY_LABEL] = "Helm"
    return stored


def kept(stored: Json, part: str, once_ours: Mapping[str, str]) -> dict[str, str]:
    """The labels or annotations of an object that are neither marks nor among those that we set or set once."""
    managed = stored["metadata"]["annotations"].get(MANAGED_KEYS_ANNOTATION, "").split(",")
    return {
        key: value
        for key, value in stored["metadata"][part].items()
        if key not in MARKS and f"{part}/{key}" not in managed and key not in once_ours
    }


def settle(place: Place, desired: Wanted | Unwanted) -> list[Verb]:
    """Plan and carry out until nothing is left to do; return what was done."""
    done: list[Verb] = []
    while (verb := plan(desired, place.observe())) not in SETTLED:
        done.append(verb)
        assert len(done) <= 3, f"no end: {done}"
        place.carry_out(verb, desired.content if isinstance(desired, Wanted) else None)
    return done


def assert_in_sync(stored: Json | None, content: Rendered) -> None:
    """The object says exactly what a new replica would say, besides what is foreign."""
    assert stored is not None
    fresh = json.loads(creation_body(content, target_of(content)))
    for part in ("data", "binaryData", "type", "immutable"):
        assert (stored.get(part) or None) == (fresh.get(part) or None), part
    labels, annotations = stored["metadata"]["labels"], stored["metadata"]["annotations"]
    assert {key: value for key, value in fresh["metadata"]["labels"].items() if key != MANAGED_BY_LABEL}.items() <= labels.items()
    assert fresh["metadata"]["annotations"].items() <= annotations.items()
    assert annotations.get(MANAGED_KEYS_ANNOTATION) == fresh["metadata"]["annotations"].get(MANAGED_KEYS_ANNOTATION)
    assert MANAGED_BY_LABEL in labels


POLICIES = st.sampled_from(ConflictPolicy)


@given(sources(), POLICIES)
def test_from_nothing_one_creation_is_enough(origin: Source, policy: ConflictPolicy) -> None:
    content = render_or_fail(origin)
    place = Place(target_of(content), None)
    assert settle(place, Wanted(content, policy)) == [Verb.CREATE]
    assert_in_sync(place.stored, content)


@given(sources(), POLICIES, st.data())
def test_a_replica_of_ours_comes_in_sync_in_two_steps_and_what_is_foreign_in_it_stays(
    origin: Source, policy: ConflictPolicy, data: st.DataObject
) -> None:
    content = render_or_fail(origin)
    before = data.draw(own_replicas(content.kind))
    place = Place(target_of(content), deepcopy(before))
    done = settle(place, Wanted(content, policy))
    assert [verb for verb in done if verb is not Verb.WAIT] in ([], [Verb.UPDATE], [Verb.RECREATE], [Verb.RECREATE, Verb.CREATE])
    assert_in_sync(place.stored, content)
    assert place.stored is not None
    if Verb.WAIT not in done:
        for part, ours in (("labels", content.labels), ("annotations", content.annotations)):
            assert kept(before, part, ours).items() <= place.stored["metadata"][part].items()
    if done in ([], [Verb.UPDATE]):
        for part in ("finalizers", "ownerReferences", "uid"):
            assert place.stored["metadata"][part] == before["metadata"][part]


@given(sources(), st.data())
def test_what_the_source_dropped_is_dropped_and_nothing_else(once: Source, data: st.DataObject) -> None:
    """A replica made of one revision and brought to the next carries exactly what a new one would, and what somebody added."""
    first, second = render_or_fail(once), render_or_fail(data.draw(sources(st.just(once.key.kind))))
    place = Place(target_of(first), None)
    settle(place, Wanted(first))
    assert place.stored is not None
    added = {f"added-{key}": value for key, value in data.draw(THEIRS).items() if "/" not in key}
    place.stored["metadata"]["labels"] |= added
    place.stored["metadata"]["annotations"] |= added
    settle(place, Wanted(second))
    fresh = json.loads(creation_body(second, target_of(second)))["metadata"]
    assert place.stored["metadata"]["labels"] == fresh["labels"] | added
    assert place.stored["metadata"]["annotations"] == fresh["annotations"] | added


@given(sources(), st.sampled_from([ConflictPolicy.REFUSE, ConflictPolicy.ADOPT]), st.data())
def test_a_foreign_object_that_differs_is_left_alone(origin: Source, policy: ConflictPolicy, data: st.DataObject) -> None:
    content = render_or_fail(origin)
    before = data.draw(foreign_objects(content.kind))
    place = Place(target_of(content), deepcopy(before))
    observed = place.observe()
    assert observed is not None
    assume(policy is ConflictPolicy.REFUSE or observed.digest not in (content.digest, content.mutable_digest))
    assert settle(place, Wanted(content, policy)) == []
    assert place.stored == before


@given(sources(), st.booleans(), st.data())
def test_a_foreign_object_that_is_equal_is_adopted_with_all_it_carries(origin: Source, immutable: bool, data: st.DataObject) -> None:
    content = render_or_fail(origin)
    before = json.loads(creation_body(content, target_of(content))) | {"metadata": data.draw(foreign_metadata())}
    before["immutable"] = immutable and content.immutable
    place = Place(target_of(content), deepcopy(before))
    assert settle(place, Wanted(content, ConflictPolicy.ADOPT)) == [Verb.UPDATE]
    assert_in_sync(place.stored, content)
    assert place.stored is not None
    for part in ("finalizers", "ownerReferences", "uid"):
        assert place.stored["metadata"][part] == before["metadata"][part]


@given(sources(), st.data())
def test_a_foreign_object_is_overwritten_unless_it_is_of_another_hub(origin: Source, data: st.DataObject) -> None:
    content = render_or_fail(origin)
    before = data.draw(foreign_objects(content.kind))
    place = Place(target_of(content), deepcopy(before))
    done = settle(place, Wanted(content, ConflictPolicy.OVERWRITE))
    if before["metadata"]["labels"].get(HUB_LABEL, HUB) != HUB:
        assert (done, place.stored) == ([], before)
        return
    assert_in_sync(place.stored, content)
    assert place.stored is not None
    if Verb.WAIT not in done:
        for part, ours in (("labels", content.labels), ("annotations", content.annotations)):
            assert kept(before, part, ours).items() <= place.stored["metadata"][part].items()


@given(KINDS, st.sampled_from(DeletionPolicy), st.data())
def test_where_nothing_is_wanted_a_foreign_object_stays_as_it_is(kind: Kind, policy: DeletionPolicy, data: st.DataObject) -> None:
    before = data.draw(foreign_objects(kind))
    place = Place(Target(kind, "team-a", "registry"), deepcopy(before))
    assert settle(place, Unwanted(policy)) == []
    assert place.stored == before


@given(KINDS, st.data())
def test_where_nothing_is_wanted_a_replica_of_ours_goes(kind: Kind, data: st.DataObject) -> None:
    place = Place(Target(kind, "team-a", "registry"), data.draw(own_replicas(kind)))
    assert settle(place, Unwanted(DeletionPolicy.DELETE)) in ([Verb.DELETE], [Verb.DELETE, Verb.WAIT])
    assert place.stored is None


@given(KINDS, st.data())
def test_a_released_replica_keeps_all_but_our_marks_and_is_foreign_from_then_on(kind: Kind, data: st.DataObject) -> None:
    before = data.draw(own_replicas(kind))
    place = Place(Target(kind, "team-a", "registry"), deepcopy(before))
    assert settle(place, Unwanted(DeletionPolicy.RETAIN)) == [Verb.RELEASE]
    assert place.stored is not None
    marked_by_us = before["metadata"]["labels"].get(MANAGED_BY_LABEL) == "clustersync"
    for part in ("labels", "annotations"):
        gone = MARKS if marked_by_us else MARKS - {MANAGED_BY_LABEL}
        expected = {key: value for key, value in before["metadata"][part].items() if key not in gone}
        assert place.stored["metadata"][part] == expected
    assert {key: place.stored[key] for key in before if key != "metadata"} == {key: before[key] for key in before if key != "metadata"}
    assert plan(Unwanted(DeletionPolicy.DELETE), place.observe()) is Verb.NOTHING


@given(st.sampled_from(Undecided), KINDS, st.booleans(), st.data())
def test_what_is_undecided_moves_nothing(desired: Undecided, kind: Kind, ours: bool, data: st.DataObject) -> None:
    stored = data.draw(own_replicas(kind) if ours else foreign_objects(kind))
    assert plan(desired, Place(Target(kind, "team-a", "registry"), stored).observe()) is Verb.NOTHING


@given(KINDS, POLICIES, st.data())
def test_what_we_would_not_write_we_never_delete(kind: Kind, policy: ConflictPolicy, data: st.DataObject) -> None:
    """Whatever lies there: an object that a claim may not take is not removed when the claim goes either."""
    content = render_or_fail(data.draw(sources(st.just(kind))))
    observed = Place(Target(kind, "team-a", "registry"), data.draw(own_replicas(kind) | foreign_objects(kind))).observe()
    if plan(Wanted(content, policy), observed) is Verb.CONFLICT:
        assert all(plan(Unwanted(each), observed) is Verb.NOTHING for each in DeletionPolicy)
