"""Reconciling one target of one cluster: decide, plan, carry out, record.

There is no await between reading the stores and having the plan, so a plan is made from one consistent view.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from clustersync.core.catalog import Catalog
from clustersync.core.claims import Claim, Decision, Place, Standing, decide
from clustersync.core.errors import ApiError
from clustersync.core.model import Replica, Source, SourceKey, SyncName, Target
from clustersync.core.plan import Undecided, Verb, Wanted, plan
from clustersync.core.redact import redact
from clustersync.core.render import Rendered, Unusable
from clustersync.core.scoreboard import Score, State
from clustersync.sync.outcome import SYNCED, Outcome, Retry, conflict, failure, waiting
from clustersync.sync.restraint import Restraint
from clustersync.sync.state import ClusterState
from clustersync.sync.writer import Writer

ROUNDS = 3
"""Plans in one go: the first, one more after a read showed something unknown, and one in reserve."""


class Planned(NamedTuple):
    """What should be done about a target now, and why."""

    decision: Decision
    observed: Replica | None
    verb: Verb
    source: Source | None
    """The holder's source as it was when this was planned: what a server may quote."""


class Settled(NamedTuple):
    """What a look without a request led to: for which ClusterSyncs it was news, and whether a request is due."""

    changed: set[SyncName]
    is_due: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What one look at a target led to, for those who count and tell."""

    target: Target
    verb: Verb
    outcome: Outcome
    claim: Claim | None
    drifted: bool = False
    error: ApiError | None = None
    foreign_uid: str = ""
    """Of the object in the way, if there is one."""
    copied: SyncName | None = None
    """The ClusterSync that the object there names, if that has our marks and belongs elsewhere: somebody copied a replica."""


class Reconciler:
    """Brings targets of one cluster to their desired state, one at a time."""

    def __init__(
        self,
        state: ClusterState,
        catalog: Catalog,
        writer: Writer,
        is_protected: Callable[[str], bool],
        wall_clock: Callable[[], float],
    ) -> None:
        self._cluster = state.name
        self._namespaces = state.namespaces
        self._replicas = state.replicas
        self._scoreboard = state.scoreboard
        self._catalog = catalog
        self._writer = writer
        self._is_protected = is_protected
        self._wall_clock = wall_clock
        self._foreign: set[Target] = set()
        self._restraint = Restraint(writer)

    def settle(self, target: Target) -> Settled:
        """Record a target that needs no request now, or that it waits for its turn. A known conflict waits for its time."""
        planned = self._plan(target, None)
        if planned.verb in (Verb.NOTHING, Verb.WAIT):
            return Settled(self._record(target, planned, self._without_request(target, planned)), is_due=False)
        if target in self._foreign and planned.verb is Verb.CREATE:
            return Settled(self._record(target, planned, self._conflict(target, None)), is_due=False)
        if planned.verb is not Verb.CONFLICT and not planned.decision.writable:
            return Settled(self._record(target, planned, self._held_back(planned.decision.holder)), is_due=False)
        return Settled(self._mark_pending(target, planned.decision.holder), is_due=True)

    def forget_conflict(self, target: Target) -> None:
        """Drop the memory of a foreign object, so that the next look is a fresh try."""
        self._foreign.discard(target)

    def _mark_pending(self, target: Target, claim: Claim | None) -> set[SyncName]:
        """Record that a target waits for its turn; return the ClusterSyncs for which that is news."""
        if claim is None or not self._is_wanted(target, claim):
            return set()
        return {claim.sync} if self._scoreboard.mark_pending(target, claim.sync, self._wall_clock()) else set()

    async def reconcile(self, target: Target) -> tuple[Report, set[SyncName]]:
        """Look at a target and do what is to be done; return what came of it and for whom it changed something."""
        planned, outcome, error = self._plan(target, None), SYNCED, None
        try:
            if target in self._foreign:
                planned = self._plan(target, await self._writer.look(target))
            for _ in range(ROUNDS):
                outcome = await self._carry_out(target, planned)
                if outcome.retry is not Retry.NOW:
                    break
                planned = self._plan(target, outcome.seen)
        except ApiError as met:
            outcome, error = self._failed(planned, met), met
        drifted = outcome.wrote and self._is_repair(target, planned)
        if outcome.wrote and isinstance(planned.decision.desired, Wanted):
            outcome = self._restraint.after_write(target, planned.decision.desired.content, outcome, repaired=drifted)
        changed = self._record(target, planned, outcome)
        foreign_uid, copied = _foreign_uid(planned), self._copied(target)
        return Report(target, planned.verb, outcome, planned.decision.holder, drifted, error, foreign_uid, copied), changed

    def _failed(self, planned: Planned, met: ApiError) -> Outcome:
        """Return what an error means for the target; whatever the server quoted of the source goes no further."""
        outcome = failure(met)
        return outcome if planned.source is None else replace(outcome, message=redact(outcome.message, planned.source))

    def _plan(self, target: Target, seen: Replica | None) -> Planned:
        """Decide and plan from the stores; `seen` is what a read just found there, which counts where the store knows nothing."""
        observed = self._replicas.get(target)
        if observed is None or observed.gone:
            observed = seen or observed
        place = Place(
            cluster=self._cluster,
            target=target,
            namespace=self._namespaces.get(target.namespace),
            protected=self._is_protected(target.namespace),
            is_source=self._catalog.is_source(SourceKey(self._cluster, *target)),
        )
        claims = self._catalog.claims_at(self._cluster, target.kind, target.name)
        owner = self._catalog.claim(observed.owner) if observed is not None and observed.ours else None
        decision = decide(place, claims, owner, observed)
        source = self._catalog.source(decision.holder.source) if decision.holder is not None else None
        return Planned(decision, observed, plan(decision.desired, observed), source)

    async def _carry_out(self, target: Target, planned: Planned) -> Outcome:
        decision, observed, verb, _ = planned
        if verb in (Verb.NOTHING, Verb.WAIT):
            self._foreign.discard(target)
            return self._without_request(target, planned)
        if verb is Verb.CONFLICT:
            self._foreign.add(target)
            return self._conflict(target, observed)
        if not decision.writable:
            return self._held_back(decision.holder)
        self._foreign.discard(target)
        if isinstance(decision.desired, Wanted):
            held = await self._restraint.before_write(target, decision.desired.content, observed)
            if held is not None:
                return held
        match verb, decision.desired, observed:
            case Verb.CREATE, Wanted(content), _:
                return await self._writer.create(target, content)
            case Verb.UPDATE, Wanted(content), Replica():
                return await self._writer.update(target, content, observed)
            case Verb.RECREATE, Wanted(content), Replica():
                return await self._writer.recreate(target, content, observed)
            case Verb.DELETE, _, Replica():
                return await self._writer.delete(target, observed)
            case Verb.RELEASE, _, Replica():
                return await self._writer.release(target, observed)
            case _:
                raise AssertionError(f"no way to {verb.value} {target}")

    def _without_request(self, target: Target, planned: Planned) -> Outcome:
        if planned.verb is Verb.WAIT:
            return waiting("Deleting", f"{target} is being deleted; a finalizer holds it")
        if planned.decision.desired is Undecided.UNKNOWN:
            return waiting("SourceUnsynced", "the source has not been read yet")
        if planned.decision.desired is Undecided.HANDS_OFF:
            return waiting("SourceNotReady", "the source is not ready")
        if isinstance(planned.decision.desired, Wanted):
            return self._restraint.verdict(target, planned.decision.desired.content, undone=False) or SYNCED
        return SYNCED

    def _held_back(self, claim: Claim | None) -> Outcome:
        if self._catalog.dry_run:
            return waiting("DryRun", "a write is due; the controller runs with --dry-run")
        if claim is not None and claim.suspended:
            return waiting("Suspended", "a write is due; spec.suspend is true")
        return waiting("NoFinalizer", "waits for the cleanup finalizer, which precedes the first write")

    def _conflict(self, target: Target, observed: Replica | None) -> Outcome:
        key = SourceKey(self._cluster, target.kind, target.namespace, target.name)
        if self._catalog.is_source(key):
            return Outcome(State.CONFLICT, "TargetIsSource", f"{target} is itself the source of a ClusterSync and stays", Retry.CONFLICT)
        return conflict(target, observed)

    def _record(self, target: Target, planned: Planned, outcome: Outcome) -> set[SyncName]:
        """Write on the scoreboard what each claim gets to hear, and who wrote when."""
        now = self._wall_clock()
        decision = planned.decision
        scores = [self._score(claim, standing, decision, outcome) for claim, standing in decision.standings]
        holder = decision.holder
        if holder is not None and not self._is_wanted(target, holder) and _tells_about_removal(planned.verb, outcome):
            scores.append(Score(holder.sync, outcome.state, outcome.reason, outcome.message))
        if outcome.wrote and holder is not None:
            self._scoreboard.note_write(holder.sync, now)
        return self._scoreboard.record(target, scores, now)

    def _score(self, claim: Claim, standing: Standing, decision: Decision, outcome: Outcome) -> Score:
        match standing:
            case Standing.HOLDS:
                return Score(claim.sync, outcome.state, outcome.reason, outcome.message)
            case Standing.OUTRANKED:
                winner = decision.holder.sync if decision.holder else ""
                return Score(
                    claim.sync, State.CONFLICT, "Outranked", f"the older ClusterSync {winner} replicates to this place; rename one"
                )
            case Standing.WAITS:
                reason, message = _why_waiting(claim)
                return Score(claim.sync, State.PENDING, reason, message)

    def _is_wanted(self, target: Target, claim: Claim) -> bool:
        namespace = self._namespaces.get(target.namespace)
        fits = (claim.kind, claim.target_name) == (target.kind, target.name)
        aimed = self._cluster in self._catalog.target_clusters(claim.sync)
        return fits and aimed and namespace is not None and claim.selects(self._cluster, namespace)

    def _copied(self, target: Target) -> SyncName | None:
        """The store holds what carries our hub id, so what is not ours there says that it belongs elsewhere."""
        stored = self._replicas.get(target)
        return stored.owner if stored is not None and not stored.ours and not stored.gone else None

    def _is_repair(self, target: Target, planned: Planned) -> bool:
        """Whether a write undoes a change to what was in sync; the removal of a replica that is wanted no more undoes nothing."""
        holder = planned.decision.holder
        return isinstance(planned.decision.desired, Wanted) and holder is not None and self._was_synced(target, holder.sync)

    def _was_synced(self, target: Target, sync: SyncName) -> bool:
        return any(score.sync == sync and score.state is State.SYNCED for score in self._scoreboard.scores_at(target))


def _foreign_uid(planned: Planned) -> str:
    return planned.observed.uid if planned.verb is Verb.CONFLICT and planned.observed is not None else ""


def _tells_about_removal(verb: Verb, outcome: Outcome) -> bool:
    """A removal is worth a line while it is refused or held back; one that a finalizer delays is on its way."""
    return verb in (Verb.DELETE, Verb.RELEASE) and not outcome.wrote and outcome.state is not State.SYNCED


def _why_waiting(claim: Claim) -> tuple[str, str]:
    match claim.content:
        case Unusable(reason, message):
            return reason, message
        case Rendered() if claim.suspended:
            return "Suspended", "a write is due; spec.suspend is true"
        case _:
            return "SourceUnsynced", "the source has not been read yet"
