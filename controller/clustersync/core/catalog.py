"""The catalog: all declarations, clusters and sources, and what follows from them, namely who claims which targets on which cluster.

Every change returns the fan-outs it causes; nothing else is recomputed. All methods are synchronous, so a reader always sees one state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from clustersync.core.api import ClusterSyncSpec, ClusterTerm, DeletionPolicy, Kind, SourceDeletionPolicy
from clustersync.core.claims import Claim, Content, Unsynced
from clustersync.core.model import LOCAL, ClusterName, Source, SourceKey, SyncName
from clustersync.core.render import Unusable, render
from clustersync.core.selectors import compile_selector


@dataclass(frozen=True, slots=True)
class Declaration:
    """One stored ClusterSync. `spec` is None where it does not parse; `invalid` then says why. `status` is as stored."""

    name: SyncName
    uid: str
    resource_version: int
    generation: int
    created: str
    deleting: bool
    finalizers: tuple[str, ...]
    has_finalizer: bool
    spec: ClusterSyncSpec | None
    invalid: str = ""
    reconcile_requested: str = ""
    skip_cleanup: frozenset[str] = frozenset()
    status: Mapping[str, object] = field(default_factory=dict, repr=False)

    @property
    def suspended(self) -> bool:
        """Whether the user stopped all writes for it."""
        return self.spec is not None and self.spec.suspend

    @property
    def source_key(self) -> SourceKey | None:
        """The object it names as its source."""
        if self.spec is None:
            return None
        source = self.spec.source
        return SourceKey(LOCAL, source.kind, source.namespace, source.name)

    def acts_like(self, other: Declaration) -> bool:
        """Whether `other` asks for the same, so that no target needs another look."""
        return (self.uid, self.spec, self.invalid, self.deleting, self.has_finalizer, self.reconcile_requested) == (
            other.uid,
            other.spec,
            other.invalid,
            other.deleting,
            other.has_finalizer,
            other.reconcile_requested,
        )


class FanOut(NamedTuple):
    """All targets of one ClusterSync on one cluster need a look."""

    cluster: ClusterName
    sync: SyncName


class _Place(NamedTuple):
    cluster: ClusterName
    kind: Kind
    name: str


class Catalog:
    """Who claims what."""

    def __init__(self, hub_id: str, *, dry_run: bool = False) -> None:
        self._hub_id = hub_id
        self.dry_run = dry_run
        self._declarations: dict[SyncName, Declaration] = {}
        self._clusters: dict[ClusterName, Mapping[str, str]] = {}
        self._sources: dict[SourceKey, Source | Unusable] = {}
        self._claims: dict[SyncName, Claim] = {}
        self._targets: dict[SyncName, frozenset[ClusterName]] = {}
        self._by_place: dict[_Place, tuple[Claim, ...]] = {}
        self._by_cluster: dict[ClusterName, dict[SyncName, Claim]] = {}
        self._by_source: dict[SourceKey, set[SyncName]] = {}

    # What is known -------------------------------------------------------

    def declaration(self, sync: SyncName) -> Declaration | None:
        """Return the declaration of that name, if there is one."""
        return self._declarations.get(sync)

    def declarations(self) -> Iterable[Declaration]:
        """Return all declarations."""
        return self._declarations.values()

    def claim(self, sync: SyncName) -> Claim | None:
        """Return the claim of a declaration that exists and parses; one that does not has none until it is deleted."""
        return self._claims.get(sync)

    def claims_at(self, cluster: ClusterName, kind: Kind, name: str) -> tuple[Claim, ...]:
        """Return the claims on targets of this kind and name in any namespace of the cluster, oldest first."""
        return self._by_place.get(_Place(cluster, kind, name), ())

    def claims_on(self, cluster: ClusterName) -> Iterable[Claim]:
        """Return the claims on any target of the cluster."""
        return self._by_cluster.get(cluster, {}).values()

    def target_clusters(self, sync: SyncName) -> frozenset[ClusterName]:
        """Return the clusters a declaration speaks of: those it names, registered or not, and those its selectors match."""
        return self._targets.get(sync, frozenset())

    def clusters(self) -> Mapping[ClusterName, Mapping[str, str]]:
        """Return the known clusters with their labels."""
        return self._clusters

    def source_keys(self) -> set[SourceKey]:
        """Return every object that some declaration names as its source."""
        return set(self._by_source)

    def source(self, key: SourceKey) -> Source | None:
        """Return a source that is there and readable."""
        known = self._sources.get(key)
        return known if isinstance(known, Source) else None

    def syncs_of(self, key: SourceKey) -> set[SyncName]:
        """Return the declarations that name this object as their source."""
        return set(self._by_source.get(key, ()))

    def is_source(self, key: SourceKey) -> bool:
        """Whether some declaration names this object as its source."""
        return key in self._by_source

    # What changes --------------------------------------------------------

    def put_declaration(self, declaration: Declaration) -> set[FanOut]:
        """Take in a new or changed declaration."""
        before = self._declarations.get(declaration.name)
        self._declarations[declaration.name] = declaration
        if before is not None and before.acts_like(declaration):
            return set()
        self._index_source(before, declaration)
        return self._rebuild(declaration.name)

    def drop_declaration(self, sync: SyncName) -> set[FanOut]:
        """Forget a declaration that is gone; what it still owns becomes an orphan."""
        before = self._declarations.pop(sync, None)
        self._index_source(before, None)
        return self._rebuild(sync)

    def put_source(self, key: SourceKey, source: Source | None) -> set[FanOut]:
        """Take in the state of a source; None when it is known to be missing."""
        missing = Unusable("SourceNotFound", f"{key} does not exist; create it, or correct spec.source", missing=True)
        return self._replace_source(key, source or missing)

    def put_source_problem(self, key: SourceKey, problem: Unusable) -> set[FanOut]:
        """Take in why a source cannot be read."""
        return self._replace_source(key, problem)

    def forget_source(self, key: SourceKey) -> set[FanOut]:
        """Say that nothing is known of a source any more."""
        known = self._sources.pop(key, None)
        return set() if known is None else self._rebuild_all(self._by_source.get(key, ()))

    def put_cluster(self, cluster: ClusterName, labels: Mapping[str, str]) -> set[FanOut]:
        """Take in a registered cluster or its changed labels."""
        if self._clusters.get(cluster) == labels:
            return set()
        self._clusters[cluster] = dict(labels)
        return self._retarget()

    def drop_cluster(self, cluster: ClusterName) -> set[FanOut]:
        """Forget a cluster whose registration is gone."""
        self._clusters.pop(cluster, None)
        return self._retarget()

    # How it follows ------------------------------------------------------

    def _replace_source(self, key: SourceKey, source: Source | Unusable) -> set[FanOut]:
        if key not in self._by_source or self._sources.get(key) == source:
            return set()
        self._sources[key] = source
        return self._rebuild_all(self._by_source.get(key, ()))

    def _index_source(self, before: Declaration | None, after: Declaration | None) -> None:
        old = before.source_key if before else None
        new = after.source_key if after else None
        if old == new:
            return
        if before is not None and old is not None:
            self._by_source[old].discard(before.name)
            if not self._by_source[old]:
                del self._by_source[old]
                self._sources.pop(old, None)
        if after is not None and new is not None:
            self._by_source.setdefault(new, set()).add(after.name)

    def _rebuild_all(self, syncs: Iterable[SyncName]) -> set[FanOut]:
        return {fan_out for sync in list(syncs) for fan_out in self._rebuild(sync)}

    def _retarget(self) -> set[FanOut]:
        moved = [name for name, declaration in self._declarations.items() if self._aim(declaration) != self._targets.get(name)]
        return self._rebuild_all(moved)

    def _rebuild(self, sync: SyncName) -> set[FanOut]:
        """Replace the claim of one declaration and its entries in the indexes; return where that may change something."""
        before = self._targets.get(sync, frozenset())
        self._unindex(sync)
        declaration = self._declarations.get(sync)
        if declaration is None:
            return {FanOut(cluster, sync) for cluster in before}
        self._targets[sync] = self._aim(declaration)
        claim = self._make_claim(declaration)
        if claim is None:
            return {FanOut(cluster, sync) for cluster in before}
        self._claims[sync] = claim
        for cluster in self._targets[sync]:
            self._index(cluster, claim)
        return {FanOut(cluster, sync) for cluster in before | self._targets[sync]}

    def _unindex(self, sync: SyncName) -> None:
        claim = self._claims.pop(sync, None)
        for cluster in self._targets.pop(sync, frozenset()):
            if claim is None:
                continue
            self._by_cluster[cluster].pop(sync)
            place = _Place(cluster, claim.kind, claim.target_name)
            self._by_place[place] = tuple(other for other in self._by_place[place] if other is not claim)
            if not self._by_place[place]:
                del self._by_place[place]

    def _index(self, cluster: ClusterName, claim: Claim) -> None:
        self._by_cluster.setdefault(cluster, {})[claim.sync] = claim
        place = _Place(cluster, claim.kind, claim.target_name)
        claims = (*self._by_place.get(place, ()), claim)
        self._by_place[place] = tuple(sorted(claims, key=lambda each: each.seniority))

    def _aim(self, declaration: Declaration) -> frozenset[ClusterName]:
        """Where a declaration has something to say; one that is deleted and does not parse may have left something anywhere."""
        if declaration.spec is None:
            return frozenset(self._clusters) if declaration.deleting else frozenset()
        return frozenset(cluster for term in declaration.spec.clusters for cluster in self._matching(term))

    def _matching(self, term: ClusterTerm) -> Iterable[ClusterName]:
        if term.selector is None:
            return (ClusterName(term.name or LOCAL),)
        selects = compile_selector(term.selector)
        return (cluster for cluster, labels in self._clusters.items() if selects(labels))

    def _make_claim(self, declaration: Declaration) -> Claim | None:
        spec, key = declaration.spec, declaration.source_key
        if spec is None or key is None:
            return self._last_claim(declaration) if declaration.deleting else None
        return Claim(
            sync=declaration.name,
            seniority=(declaration.created, declaration.name),
            source=key,
            target_name=key.name,
            selects_labels=compile_selector(spec.namespace_selector),
            content=self._content(key, declaration.name),
            deletion_policy=spec.deletion_policy,
            drop_on_missing_source=spec.source_deletion_policy is SourceDeletionPolicy.DELETE,
            deleting=declaration.deleting,
            suspended=spec.suspend,
            writable=declaration.has_finalizer and not spec.suspend and not self.dry_run,
        )

    def _last_claim(self, declaration: Declaration) -> Claim:
        """The claim of a deleted declaration that does not parse: it selects nothing, and releases what it has."""
        return Claim(
            sync=declaration.name,
            seniority=(declaration.created, declaration.name),
            source=SourceKey(LOCAL, Kind.SECRET, "", ""),
            target_name="",
            selects_labels=lambda labels: False,
            content=Unsynced.UNSYNCED,
            deletion_policy=DeletionPolicy.RETAIN,
            drop_on_missing_source=False,
            deleting=True,
            suspended=False,
            writable=declaration.has_finalizer and not self.dry_run,
        )

    def _content(self, key: SourceKey, sync: SyncName) -> Content:
        match self._sources.get(key):
            case None:
                return Unsynced.UNSYNCED
            case Unusable() as problem:
                return problem
            case source:
                return render(source, sync, self._hub_id)
