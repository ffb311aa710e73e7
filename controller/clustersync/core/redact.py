"""Keeps a source's values out of messages: a server, webhook or policy may quote what it refuses (design, section 5)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

from clustersync.core.errors import clean
from clustersync.core.model import Source

REDACTED = "[redacted]"

SHORTEST_VALUE = 4
"""Characters; a shorter value stands in every second message by chance, and replacing it would tell more than it hides."""

ELLIPSIS = "…"


def redact(message: str, source: Source) -> str:
    """Return a cleaned message with every value of the source in it replaced, raw or in base64, whole or cut off at the end."""
    for spelling in sorted(_spellings(source), key=len, reverse=True):
        message = message.replace(spelling, REDACTED)
    if message.endswith(ELLIPSIS):
        message = _without_cut_value(message.removesuffix(ELLIPSIS), _spellings(source)) + ELLIPSIS
    return message


def _spellings(source: Source) -> Iterator[str]:
    for values in (source.data, source.binary_data):
        for value in values.values():
            yield from (each for each in _spelled(value) if len(each) >= SHORTEST_VALUE)


def _spelled(value: bytes) -> Iterator[str]:
    text = value.decode(errors="replace")
    yield text
    yield clean(text, limit=len(text) + 1)  # as it stands in a message that was cleaned
    yield base64.b64encode(value).decode()


def _without_cut_value(message: str, spellings: Iterable[str]) -> str:
    """A message is cut at a length, and so may end with the beginning of a value."""
    for spelling in spellings:
        for length in range(min(len(spelling), len(message)), SHORTEST_VALUE - 1, -1):
            if message.endswith(spelling[:length]):
                return message[:-length] + REDACTED
    return message
