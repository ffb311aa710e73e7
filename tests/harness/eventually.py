"""Waiting for a state that a user could see."""

import time
from collections.abc import Callable
from typing import Literal, TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.02


def eventually(check: Callable[[], T | Literal[False] | None], *, seconds: float = 20.0, describe: Callable[[], object] = lambda: "") -> T:
    """Return what `check` returns as soon as it is true; AssertionError with its last word after the deadline.

    A check may also say no by raising AssertionError.
    """
    deadline = time.monotonic() + seconds
    while True:
        problem: object
        try:
            result = check()
            if result:
                return result
            problem = f"got {result!r}"
        except AssertionError as error:
            problem = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {problem} {describe()}")
        time.sleep(POLL_SECONDS)
