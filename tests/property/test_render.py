"""Whatever a source holds: what is posted and decoded again is the source, and merging metadata twice is merging it once."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from clustersync.core.api import Kind
from clustersync.core.digest import content_digest
from clustersync.core.model import KINDS, LOCAL, Metadata, Source, SourceKey, SyncName, Target
from clustersync.core.render import Rendered, creation_body, marks_match, merge_metadata, render, update_body
from clustersync.kube.wire import Interner, replica_decoder, source_decoder
from tests.builders import HUB, source

KEYS = st.text(alphabet="abc-_.", min_size=1, max_size=4)
# A surrogate is no text: neither JSON nor the API server would take it.
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
BINARY = st.dictionaries(KEYS, st.binary(max_size=8), max_size=4)
LABELS = st.dictionaries(st.sampled_from(["a", "b", "example.com/c", "d"]), TEXT, max_size=4)


@st.composite
def sources(draw: st.DrawFn) -> Source:
    kind = draw(st.sampled_from(Kind))
    text = st.dictionaries(KEYS, TEXT.map(str.encode), max_size=4)
    is_secret = kind is Kind.SECRET
    return source(
        draw(BINARY if is_secret else text),
        key=SourceKey(LOCAL, kind, "platform", "registry"),
        binary_data={} if is_secret else draw(BINARY),
        type="example.com/x" if is_secret else None,
        immutable=draw(st.booleans()),
        labels=draw(LABELS),
        annotations=draw(LABELS),
    )


def rendered(origin: Source) -> Rendered:
    content = render(origin, SyncName("registry"), HUB)
    assert isinstance(content, Rendered)
    return content


def place(origin: Source) -> Target:
    return Target(origin.key.kind, "team-a", "registry")


@given(sources())
def test_what_is_created_decodes_to_the_source_s_content(origin: Source) -> None:
    stored = creation_body(rendered(origin), place(origin))
    _, again = source_decoder(origin.key.kind)(stored)
    assert (again.data, again.binary_data) == (origin.data, origin.binary_data)
    assert (again.type or KINDS[origin.key.kind].default_type, again.immutable) == (origin.type, origin.immutable)


@given(sources())
def test_what_is_created_is_seen_as_ours_and_in_sync(origin: Source) -> None:
    content = rendered(origin)
    target, observed = replica_decoder(origin.key.kind, frozenset({HUB}), Interner())(creation_body(content, place(origin)))
    assert target == place(origin)
    assert (observed.ours, observed.owner, observed.digest) == (True, "registry", content.digest)
    assert marks_match(content, observed.metadata.unpack())


@given(sources(), LABELS, LABELS)
def test_after_an_update_the_marks_match_and_another_merge_changes_nothing(
    origin: Source, labels: dict[str, str], annotations: dict[str, str]
) -> None:
    content = rendered(origin)
    once = merge_metadata(content, place(origin), Metadata(labels, annotations))
    assert marks_match(content, once)
    assert merge_metadata(content, place(origin), once) == once


@given(sources(), LABELS, LABELS, st.lists(TEXT, max_size=2))
def test_an_update_body_is_the_creation_body_beside_what_it_carries(
    origin: Source, labels: dict[str, str], annotations: dict[str, str], finalizers: list[str]
) -> None:
    content, target = rendered(origin), place(origin)
    fresh = json.loads(creation_body(content, target))
    update = json.loads(update_body(content, target, Metadata(labels, annotations, finalizers), uid="u", resource_version=7))
    metadata, created = update.pop("metadata"), fresh.pop("metadata")
    assert update == fresh
    assert metadata["labels"] == labels | created["labels"]
    assert metadata["annotations"] == annotations | created["annotations"]
    assert (metadata["finalizers"], metadata["uid"], metadata["resourceVersion"]) == (finalizers, "u", "7")


CONTENTS = st.tuples(st.sampled_from(["", "a", "ab"]), st.booleans(), BINARY, BINARY)
PARTS = st.dictionaries(st.text(alphabet="ab", max_size=3), st.text(alphabet="ab", max_size=3).map(str.encode), max_size=3)
CLOSE = st.tuples(st.text(alphabet="ab", max_size=3), st.booleans(), PARTS, PARTS)


@given(CLOSE, CLOSE)
def test_digests_are_equal_exactly_where_the_content_is(
    one: tuple[str, bool, dict[str, bytes], dict[str, bytes]], other: tuple[str, bool, dict[str, bytes], dict[str, bytes]]
) -> None:
    assert (content_digest(*one) == content_digest(*other)) is (one == other)


@given(CONTENTS)
def test_a_digest_does_not_depend_on_the_order_of_keys(content: tuple[str, bool, dict[str, bytes], dict[str, bytes]]) -> None:
    type_, immutable, data, binary = content
    backwards = [dict(reversed(values.items())) for values in (data, binary)]
    assert content_digest(*content) == content_digest(type_, immutable, *backwards)
