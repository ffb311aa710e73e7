"""The command blocks of the README, by the word behind `sh` that says which test runs them."""

import re
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"

MAKE = "make"
"""Targets of the Makefile, one a line."""
HERE = "here"
"""Cheap enough to be run in the clone by a unit test."""
CLUSTER = "cluster"
"""Run in order, as one walk-through, on real control planes."""
CONTROLLER = "controller"
"""Stays up: the walk-through starts the controller at this point."""

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the word behind it, and what it holds."""

    language: str
    tag: str
    text: str

    @property
    def lines(self) -> list[str]:
        """The lines of the block."""
        return self.text.splitlines()


def blocks(language: str = "", tag: str = "") -> list[Block]:
    """Return the blocks in the order of the page; of one language and tag when given."""
    found = [_block(each["info"], each["text"]) for each in _FENCE.finditer(README.read_text())]
    return [each for each in found if language in ("", each.language) and tag in ("", each.tag)]


def _block(info: str, text: str) -> Block:
    language, _, tag = info.partition(" ")
    return Block(language, tag, text)
