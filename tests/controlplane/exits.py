"""Waiting for the end of processes that are not our children."""

import os
import select
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NewType

Watched = NewType("Watched", dict[int, int])
"""Process ids by the descriptor that becomes readable when the process ends."""


@contextmanager
def watch(pids: Iterable[int]) -> Iterator[Watched]:
    """Taken while they run: a descriptor names its process also after the pid has been given to another."""
    watched = Watched({os.pidfd_open(pid): pid for pid in pids})
    try:
        yield watched
    finally:
        for descriptor in watched:
            os.close(descriptor)


def still_running(watched: Watched, within_seconds: float) -> list[int]:
    """Those that have not ended by then; returns as soon as all have."""
    running = dict(watched)
    deadline = time.monotonic() + within_seconds
    while running and (left := deadline - time.monotonic()) > 0:
        ended, _, _ = select.select(list(running), [], [], left)
        for descriptor in ended:
            del running[descriptor]
    return list(running.values())


def parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("PPid:"))
