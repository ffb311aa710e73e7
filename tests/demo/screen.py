"""What the person sees: colours and a spinner on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

COLUMN = 10  # of the times, on the left: the right edge of a terminal is not known to a file


class Screen:
    """Prints to standard output. Nothing is wrapped, so that what is printed can be copied."""

    def __init__(self) -> None:
        self._console = Console(soft_wrap=True, highlight=False, emoji=False)

    def heading(self, text: str) -> None:
        self._print(f"\n{text}", "bold")

    def text(self, text: str) -> None:
        self._print(text)

    def command(self, line: str, output: str) -> None:
        """A command as a person types it, and what it said."""
        self._print(f"\n  $ {line}", "cyan")
        self._print("".join(f"  {each}\n" for each in output.rstrip().splitlines()))

    def done(self, took: str, what: str, outcome: str = "") -> None:
        """One thing that went well, how long it took, and what came of it."""
        self._print(Text.assemble((f"{took:>{COLUMN}}", "bold green"), "  ", what))
        if outcome:
            self._print(f"{'':>{COLUMN}}  {outcome}", "dim")

    def failed(self, what: str, why: str) -> None:
        self._print(Text.assemble((f"{'FAILED':>{COLUMN}}", "bold red"), f"  {what}: {why}"))

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Shows on a terminal that something is going on."""
        with self._console.status(what):
            yield

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Something that takes seconds; printed when it went well."""
        begin = time.perf_counter()
        with self.working(what):
            yield
        self.done(f"{time.perf_counter() - begin:.1f} s", what)

    def _print(self, text: str | Text, style: str = "") -> None:
        self._console.print(text, style=style, markup=False)
