"""What became of an attempt at one target. An expected failure is a value, so that it stays the target's own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from clustersync.core.errors import ApiError, Forbidden, NotFound, NotLeading, Stale, Throttled, Transient, Unreachable
from clustersync.core.model import Replica, Target
from clustersync.core.scoreboard import State


class Retry(Enum):
    """When the target needs another look, besides when something about it changes."""

    NO = "no"
    BACKOFF = "backoff"
    CONFLICT = "conflict"
    """Rarely: somebody has to act first."""
    NOW = "now"
    """Plan again with what was seen."""
    AFTER = "after"
    """After `after_seconds`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a target is after an attempt. `wrote` says that a write succeeded; `seen` is what a fresh read found."""

    state: State
    reason: str = ""
    message: str = ""
    retry: Retry = Retry.NO
    wrote: bool = False
    seen: Replica | None = None
    after_seconds: float = 0.0


SYNCED = Outcome(State.SYNCED)
WRITTEN = Outcome(State.SYNCED, wrote=True)


def waiting(reason: str, message: str, *, retry: Retry = Retry.NO, wrote: bool = False) -> Outcome:
    """Pending: something else has to happen first."""
    return Outcome(State.PENDING, reason, message, retry, wrote)


def conflict(target: Target, seen: Replica | None) -> Outcome:
    """A foreign object is in the way."""
    whose = f"it names ClusterSync {seen.owner}, but of another place or hub" if seen and seen.owner else "ClusterSync did not create it"
    return Outcome(
        State.CONFLICT,
        "Conflict",
        f"{target} exists and {whose}; delete or rename it, or take the namespace out of the selection",
        Retry.CONFLICT,
    )


def failure(error: ApiError) -> Outcome:
    """What an API error means for the target it met."""
    match error:
        case NotLeading():
            return waiting("NotLeading", "another controller leads now", retry=Retry.BACKOFF)
        case Throttled():
            return waiting("Throttled", f"the API server asked for patience: {error.message}", retry=Retry.BACKOFF)
        case Forbidden() if error.namespace_terminates:
            return waiting("NamespaceTerminating", "the namespace is being deleted", retry=Retry.BACKOFF)
        case NotFound() | Stale():
            return waiting("Stale", "the object changed meanwhile", retry=Retry.BACKOFF)
        case Unreachable() if error.reason != "Timeout":
            return waiting("Unreachable", error.message, retry=Retry.BACKOFF)
        case Transient():
            return Outcome(State.FAILED, error.reason or "ServerError", error.message, Retry.BACKOFF)
        case _:
            return Outcome(State.FAILED, error.reason, error.message, Retry.BACKOFF)
