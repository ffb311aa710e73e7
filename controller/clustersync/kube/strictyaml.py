"""YAML from strangers: mappings, lists and text, nothing else. Nothing is constructed by tag, nothing grows beyond what was written."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

import yaml

MAX_DEPTH = 32
"""Levels of nesting; a kubeconfig needs eight. The parser's time grows with the square of the depth, so it is stopped early."""

Value = str | list["Value"] | dict[str, "Value"] | None


class RefusedYaml(ValueError):
    """A document that is not read. The message names a line and what is wrong there, and quotes nothing."""


def load(raw: bytes) -> Value:
    """Return the one YAML document of `raw`; every scalar is text, but for a plain null. Raises RefusedYaml."""
    try:
        return _read_stream(yaml.parse(raw.decode(), Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError):
        pass  # raised outside of the block: the library's error quotes the input and would hang on ours as context
    raise RefusedYaml("must be YAML in UTF-8")


def _read_stream(events: Iterator[yaml.Event]) -> Value:
    next(events)
    if not isinstance(next(events), yaml.DocumentStartEvent):
        return None
    value = _read(next(events), events, 0)
    next(events)
    if not isinstance(next(events), yaml.StreamEndEvent):
        raise RefusedYaml("must be one YAML document")
    return value


_NULLS = frozenset({"", "~", "null", "Null", "NULL"})  # YAML 1.2, section 10.3.2


def _read(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Value:
    """Build the value that begins with `event`. Nothing is constructed by tag, and nothing grows beyond what was written."""
    if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) or event.anchor is not None:
        raise _refused_line(event, "has an anchor or alias; write the value out")
    if event.tag is not None:
        raise _refused_line(event, "has a tag; remove it")
    if isinstance(event, yaml.ScalarEvent):
        is_plain = event.implicit[0]
        return None if is_plain and event.value in _NULLS else event.value
    if depth == MAX_DEPTH:
        raise _refused_line(event, f"is nested deeper than {MAX_DEPTH} levels")
    inside = takewhile(lambda inner: not isinstance(inner, yaml.CollectionEndEvent), events)
    if isinstance(event, yaml.SequenceStartEvent):
        return [_read(inner, events, depth + 1) for inner in inside]
    return _read_mapping(inside, events, depth + 1)


def _read_mapping(keys: Iterator[yaml.Event], events: Iterator[yaml.Event], depth: int) -> dict[str, Value]:
    """Build a mapping; `keys` runs over `events`, from which each key's value is taken in between."""
    fields: dict[str, Value] = {}
    for event in keys:
        key = _read(event, events, depth)
        if not isinstance(key, str):
            raise _refused_line(event, "has a key that is not text")
        if key in fields:
            raise _refused_line(event, "repeats a key of its mapping; keep one")
        fields[key] = _read(next(events), events, depth)
    return fields


def _refused_line(event: yaml.Event, reason: str) -> RefusedYaml:
    line = event.start_mark.line + 1 if event.start_mark else 0
    return RefusedYaml(f"line {line} {reason}")
