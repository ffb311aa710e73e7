"""Equal content gives equal digests, and nothing else does."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest

from clustersync.core.api import Kind
from clustersync.core.digest import DIGEST_BYTES, content_digest
from clustersync.kube.wire import Interner, replica_decoder

Content = tuple[str, bool, Mapping[str, bytes], Mapping[str, bytes]]

SAME: dict[str, tuple[Content, Content]] = {
    "the order of keys does not matter": (
        ("Opaque", False, {"a": b"1", "b": b"2"}, {"c": b"3", "d": b"4"}),
        ("Opaque", False, {"b": b"2", "a": b"1"}, {"d": b"4", "c": b"3"}),
    ),
    "another map of the same content is the same": (("Opaque", True, {"a": b"1"}, {}), ("Opaque", True, {"a": b"1"}, {})),
}

# All different from each other.
DIFFERENT: dict[str, Content] = {
    "no data at all": ("", False, {}, {}),
    "no data, immutable": ("", True, {}, {}),
    "no data, with a type": ("Opaque", False, {}, {}),
    "a type that begins like another's mark": ("immutable", False, {}, {}),
    "an empty value": ("", False, {"a": b""}, {}),
    "an empty value as binary data": ("", False, {}, {"a": b""}),
    "an empty key": ("", False, {"": b"a"}, {}),
    "a key and a value": ("", False, {"a": b"b"}, {}),
    "the key and value swapped": ("", False, {"b": b"a"}, {}),
    "the value moved into the key": ("", False, {"ab": b""}, {}),
    "the key moved into the value": ("", False, {"": b"ab"}, {}),
    "two keys": ("", False, {"a": b"b", "c": b"d"}, {}),
    "two keys in one": ("", False, {"a": b"bcd"}, {}),
    "two keys with the border moved": ("", False, {"ab": b"c", "d": b""}, {}),
    "two keys with the values swapped": ("", False, {"a": b"d", "c": b"b"}, {}),
    "one of two keys as binary data": ("", False, {"a": b"b"}, {"c": b"d"}),
    "the other of two keys as binary data": ("", False, {"c": b"d"}, {"a": b"b"}),
    "both keys as binary data": ("", False, {}, {"a": b"b", "c": b"d"}),
    "a value with a length in it": ("", False, {"a": b"\x00" * 7 + b"\x01b"}, {}),
    "a type with a count in it": ("0", False, {"a": b"b"}, {}),
    "a key that is not ASCII": ("", False, {"ä": b"b"}, {}),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME.keys())
def test_equal_content_has_one_digest(one: Content, other: Content) -> None:
    assert content_digest(*one) == content_digest(*other)


@pytest.mark.parametrize(
    ("one", "other"), [pytest.param(DIFFERENT[a], DIFFERENT[b], id=f"{a} and {b}") for a, b in combinations(DIFFERENT, 2)]
)
def test_different_content_has_different_digests(one: Content, other: Content) -> None:
    assert content_digest(*one) != content_digest(*other)


def test_a_digest_is_short_and_does_not_show_the_data() -> None:
    data: dict[str, Any] = {"password": b"hunter2"}
    digest = content_digest("Opaque", False, data, {})
    assert len(digest) == DIGEST_BYTES
    assert b"hunter2" not in digest


@pytest.mark.parametrize("kind", list(Kind))
def test_no_data_null_data_and_empty_data_are_the_same(kind: Kind) -> None:
    decode = replica_decoder(kind, frozenset({"hub"}), Interner())
    bodies = [
        b'{"metadata":{}}',
        b'{"metadata":{},"data":null,"binaryData":null,"immutable":null}',
        b'{"metadata":{},"data":{},"binaryData":{},"immutable":false}',
    ]
    assert len({decode(body)[1].digest for body in bodies}) == 1


def test_an_empty_value_is_not_a_missing_one() -> None:
    decode = replica_decoder(Kind.SECRET, frozenset({"hub"}), Interner())
    empty, missing = b'{"metadata":{},"data":{"a":""}}', b'{"metadata":{},"data":{}}'
    assert decode(empty)[1].digest != decode(missing)[1].digest
