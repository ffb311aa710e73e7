"""Who gets a target: from the claims on it and its namespace to one desired state and a word for each claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from clustersync.core.api import DeletionPolicy, Kind
from clustersync.core.model import OPT_OUT_LABEL, ClusterName, Namespace, Replica, SourceKey, SyncName, Target
from clustersync.core.plan import ConflictPolicy, Desired, Undecided, Unwanted, Wanted
from clustersync.core.render import Rendered, Unusable


class Unsynced(Enum):
    """The content is not known: its informer has not seen the whole state yet."""

    UNSYNCED = "unsynced"


Content = Rendered | Unusable | Unsynced


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A ClusterSync wanting its replica in every namespace it selects."""

    sync: SyncName
    seniority: tuple[str, str]
    """Creation time and name: the older claim wins (design, section 4)."""
    source: SourceKey
    target_name: str
    selects_labels: Callable[[Mapping[str, str]], bool]
    content: Content
    deletion_policy: DeletionPolicy
    drop_on_missing_source: bool
    deleting: bool
    suspended: bool
    writable: bool
    """Has the cleanup finalizer and is not suspended."""
    conflict_policy: ConflictPolicy = ConflictPolicy.REFUSE

    @property
    def kind(self) -> Kind:
        """The kind of the source and of every replica."""
        return self.source.kind

    def selects(self, cluster: ClusterName, namespace: Namespace) -> bool:
        """Whether a replica belongs into `namespace` of `cluster`; the source itself is never a target."""
        if self.deleting or namespace.labels.get(OPT_OUT_LABEL) == "true" or not self.selects_labels(namespace.labels):
            return False
        return not (cluster == self.source.cluster and namespace.name == self.source.namespace and self.target_name == self.source.name)


class Standing(Enum):
    """What a claim has to say about a target before anything is tried."""

    HOLDS = "holds"
    OUTRANKED = "outranked"
    WAITS = "waits"
    """For its source, its informers, or the end of its suspension."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The desired state of one target. `holder` is the claim it comes from: the winner, or the one whose policy removes."""

    desired: Desired
    writable: bool
    holder: Claim | None = None
    standings: tuple[tuple[Claim, Standing], ...] = ()
    """Each claim that selects the namespace, the holder included."""


NOTHING_WANTED = Decision(Undecided.HANDS_OFF, writable=False)


@dataclass(frozen=True, slots=True)
class Place:
    """One target in its surroundings."""

    cluster: ClusterName
    target: Target
    namespace: Namespace | None
    protected: bool = False
    is_source: bool = False
    """The target is the source of some ClusterSync."""


def decide(place: Place, claims: Sequence[Claim], owner: Claim | None, observed: Replica | None) -> Decision:
    """Return what should be at `place`.

    `claims` are those on this (cluster, kind, name), oldest first; `owner` is the declaration that the observed replica names,
    None when there is none such: then the replica is an orphan and stays.
    """
    namespace = place.namespace
    if namespace is None or is_off_limits(namespace, protected=place.protected):
        return NOTHING_WANTED
    wanting = [claim for claim in claims if claim.selects(place.cluster, namespace)]
    held_by = observed.owner if observed is not None and observed.ours and not observed.gone else None
    winner = next((claim for claim in wanting if _may_hold(claim, held_by)), None)
    standings = tuple((claim, _standing(claim, winner, held_by)) for claim in wanting)
    if winner is not None:
        guarded = place.is_source and held_by is None
        return Decision(_desired_of(winner, guarded=guarded), winner.writable, winner, standings)
    return _without_winner(wanting, owner, held_by, standings)


def is_off_limits(namespace: Namespace | None, *, protected: bool) -> bool:
    """Whether everything in a namespace stays as it is, whatever is wanted there (design, section 3, hands off)."""
    return namespace is None or namespace.terminating or protected


def _may_hold(claim: Claim, held_by: SyncName | None) -> bool:
    """A suspended claim or one without a source keeps what it holds, but blocks no other."""
    if isinstance(claim.content, Unusable):
        return claim.sync == held_by and not _drops(claim)
    return claim.sync == held_by or not claim.suspended


def _standing(claim: Claim, winner: Claim | None, held_by: SyncName | None) -> Standing:
    if claim is winner:
        return Standing.HOLDS if isinstance(claim.content, Rendered) else Standing.WAITS
    if winner is None or isinstance(claim.content, Unusable) or (claim.suspended and claim.sync != held_by):
        return Standing.WAITS
    return Standing.OUTRANKED


def _drops(claim: Claim) -> bool:
    """Whether its replicas have to go because the source is gone; one that cannot be read or used is not gone."""
    return claim.drop_on_missing_source and isinstance(claim.content, Unusable) and claim.content.missing


def _desired_of(claim: Claim, *, guarded: bool) -> Desired:
    """`guarded` when an unmarked object lies there that is itself a source: it stays, whatever the policy (design, section 3)."""
    match claim.content:
        case Rendered():
            return Wanted(claim.content, ConflictPolicy.REFUSE if guarded else claim.conflict_policy)
        case Unusable():
            return Undecided.HANDS_OFF
        case Unsynced():
            return Undecided.UNKNOWN


def _without_winner(
    wanting: Sequence[Claim], owner: Claim | None, held_by: SyncName | None, standings: tuple[tuple[Claim, Standing], ...]
) -> Decision:
    if owner is None or held_by is None:
        return Decision(Undecided.HANDS_OFF, writable=False, standings=standings)
    if owner not in wanting:
        return Decision(Unwanted(owner.deletion_policy), owner.writable, owner, standings)
    if _drops(owner):
        return Decision(Unwanted(DeletionPolicy.DELETE), owner.writable, owner, standings)
    return Decision(Undecided.HANDS_OFF, writable=False, standings=standings)
