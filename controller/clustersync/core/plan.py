"""One target, one plan: the table of the design's section 4 as a pure function of what should be and what is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from clustersync.core.api import DeletionPolicy
from clustersync.core.model import HUB_LABEL, Replica
from clustersync.core.render import Rendered, marks_match


class ConflictPolicy(Enum):
    """What to do with a foreign object on a target's place."""

    REFUSE = "Refuse"
    ADOPT = "Adopt"
    OVERWRITE = "Overwrite"


class Undecided(Enum):
    """Desired states that move nothing."""

    HANDS_OFF = "hands off"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A replica with this content belongs here."""

    content: Rendered
    conflict_policy: ConflictPolicy = ConflictPolicy.REFUSE


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Nothing of ours belongs here; what is ours goes by this policy."""

    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE


Desired = Wanted | Unwanted | Undecided


class Verb(Enum):
    """What to do about one target."""

    NOTHING = "nothing"
    CREATE = "create"
    UPDATE = "update"
    """PUT with the observed uid and resourceVersion, foreign metadata carried over."""
    RECREATE = "recreate"
    """DELETE with preconditions, then POST; foreign labels and annotations carried over."""
    DELETE = "delete"
    RELEASE = "release"
    """Take our marks off, leave the rest."""
    WAIT = "wait"
    """A finalizer holds the old object; the watch will say when it is gone."""
    CONFLICT = "conflict"
    """A foreign object is in the way and stays."""


def plan(desired: Desired, observed: Replica | None) -> Verb:
    """Return what to do about a target.

    `observed` is what lies on its place: ours, foreign, or None. An object that our own DELETE removed counts as nothing.
    """
    if observed is not None and observed.gone:
        observed = None
    match desired:
        case Undecided():
            return Verb.NOTHING
        case Unwanted(deletion_policy):
            return _plan_unwanted(deletion_policy, observed)
        case Wanted():
            return _plan_wanted(desired, observed)


def _plan_unwanted(policy: DeletionPolicy, observed: Replica | None) -> Verb:
    if observed is None or not observed.ours:
        return Verb.NOTHING
    if observed.deleting:
        return Verb.WAIT
    return Verb.RELEASE if policy is DeletionPolicy.RETAIN else Verb.DELETE


def _plan_wanted(wanted: Wanted, observed: Replica | None) -> Verb:
    if observed is None:
        return Verb.CREATE
    if observed.deleting:
        return Verb.WAIT
    if observed.ours:
        return _plan_ours(wanted.content, observed)
    if _is_of_another_hub(wanted.content, observed):
        return Verb.CONFLICT
    match wanted.conflict_policy:
        case ConflictPolicy.REFUSE:
            return Verb.CONFLICT
        case ConflictPolicy.ADOPT:
            return Verb.UPDATE if _adoptable(wanted.content, observed) else Verb.CONFLICT
        case ConflictPolicy.OVERWRITE:
            return _bring_content(wanted.content, observed)


def _is_of_another_hub(content: Rendered, observed: Replica) -> bool:
    """Such an object is never touched, whatever the policy (design, section 4); a copy of a replica of ours is just foreign."""
    hub = observed.metadata.unpack().labels.get(HUB_LABEL)
    return hub is not None and hub != content.labels[HUB_LABEL]


def _plan_ours(content: Rendered, observed: Replica) -> Verb:
    if observed.digest != content.digest:
        return _bring_content(content, observed)
    return Verb.NOTHING if marks_match(content, observed.metadata.unpack()) else Verb.UPDATE


def _bring_content(content: Rendered, observed: Replica) -> Verb:
    """A type never changes in place, and an immutable object never changes at all (ValidateSecretUpdate, ValidateConfigMapUpdate)."""
    if observed.type != content.type or (observed.immutable and observed.digest != content.digest):
        return Verb.RECREATE
    return Verb.UPDATE


def _adoptable(content: Rendered, observed: Replica) -> bool:
    """Whether type, data and binaryData are equal already; `immutable` may be set in place, never taken off."""
    return observed.digest in (content.digest, content.mutable_digest)
