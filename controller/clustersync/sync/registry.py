"""The registered clusters: from registration Secrets to running members, each in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass

import msgspec
import structlog

from clustersync.core.catalog import FanOut
from clustersync.core.model import LOCAL, ClusterName
from clustersync.kube.registration import (
    RefusedRegistration,
    Registration,
    SecretMetadata,
    read_registration,
)
from clustersync.kube.transport import Transport
from clustersync.kube.wire import decode_secret_data
from clustersync.runtime.tasks import Scope
from clustersync.sync.context import Context
from clustersync.sync.identities import Identities, judge
from clustersync.sync.member import Member

log = structlog.get_logger()

SecretName = str


@dataclass(frozen=True, slots=True)
class StoredRegistration:
    """What a registration Secret says, in one of its revisions."""

    content: Registration | RefusedRegistration
    resource_version: int


def registration_decoder(*, allow_loopback: bool) -> Callable[[msgspec.Raw], tuple[SecretName, StoredRegistration]]:
    """Return a decoder for registration Secrets; their data goes no further than the vetted endpoint."""

    def decode(raw: msgspec.Raw) -> tuple[SecretName, StoredRegistration]:
        meta, data = decode_secret_data(raw)
        secret = SecretMetadata(meta.namespace, meta.name, meta.uid, meta.creation_timestamp or "", meta.labels or {})
        content = read_registration(secret, data, allow_loopback=allow_loopback)
        return meta.name, StoredRegistration(content, int(meta.resource_version))

    return decode


class Registry:
    """Keeps one running member for each usable registration, and a problem for each that is not.

    It is the sink of the informer on registration Secrets. `connect` opens a transport to a vetted registration.
    """

    def __init__(
        self,
        scope: Scope,
        context: Context,
        connect: Callable[[Registration], Awaitable[Transport]],
        on_fan_out: Callable[[set[FanOut]], None],
        on_refused: Callable[[RefusedRegistration], None],
    ) -> None:
        self._scope = scope
        self._context = context
        self._connect = connect
        self._on_fan_out = on_fan_out
        self._on_refused = on_refused
        self._stored: dict[SecretName, StoredRegistration] = {}
        self._refusals: dict[SecretName, RefusedRegistration] = {}
        self._serving: dict[ClusterName, tuple[Registration, asyncio.Task[None]]] = {}
        self._identities = Identities()
        self.members: dict[ClusterName, Member] = {}
        self.refused: dict[ClusterName, str] = {}

    def registered(self) -> Set[ClusterName]:
        """Return the clusters that a usable registration names, connected or not."""
        return self._serving.keys()

    def add_local(self, transport: Transport) -> None:
        """Serve the hub's own cluster, which needs no registration."""
        member = self.members[LOCAL] = Member(LOCAL, transport, self._context)
        self._scope.start(f"cluster {LOCAL}", member.run(self._on_hub_identified))

    def replace(self, items: Mapping[SecretName, StoredRegistration], version: int) -> None:
        """Take in all registrations."""
        self._stored = dict(items)
        self._apply()

    def upsert(self, key: SecretName, value: StoredRegistration) -> None:
        """Take in one registration."""
        self._stored[key] = value
        self._apply()

    def delete(self, key: SecretName, version: int) -> None:
        """Take in that a registration was removed: its cluster is disconnected and nobody waits for it."""
        self._stored.pop(key, None)
        self._apply()

    def _apply(self) -> None:
        """Make members and problems follow what is registered."""
        judged = judge([stored.content for stored in self._stored.values()], self._identities)
        self._tell_refusals({each.secret_name: each for each in judged if isinstance(each, RefusedRegistration)})
        wanted = _by_cluster(judged)
        for cluster in self._serving.keys() - wanted.keys():
            self._stop(cluster)
        known = self._context.catalog.clusters().keys() - {LOCAL}
        before, self.refused = self.refused, {name: each.message for name, each in wanted.items() if isinstance(each, RefusedRegistration)}
        for cluster, registration in wanted.items():
            self._serve(cluster, registration, before.get(cluster))
            self._on_fan_out(self._context.catalog.put_cluster(cluster, registration.labels))
        for cluster in known - wanted.keys():
            self._on_fan_out(self._context.catalog.drop_cluster(cluster))
            self._context.audience.cluster_changed(cluster, None, "")

    def _tell_refusals(self, refusals: dict[SecretName, RefusedRegistration]) -> None:
        for name, refusal in refusals.items():
            if self._refusals.get(name) != refusal:
                log.warning("registration refused", secret=name, reason=refusal.message)
                self._on_refused(refusal)
        self._refusals = refusals

    def _serve(self, cluster: ClusterName, registration: Registration | RefusedRegistration, refused_before: str | None) -> None:
        current = self._serving.get(cluster)
        if isinstance(registration, RefusedRegistration):
            if current is not None:
                self._stop(cluster)
            if registration.message != refused_before:
                self._context.audience.cluster_changed(cluster, False, registration.message)
        elif current is None or current[0].endpoint != registration.endpoint:
            if current is not None:
                self._stop(cluster)
            task = self._scope.start(f"cluster {cluster}", self._run(registration))
            self._serving[cluster] = registration, task

    def _stop(self, cluster: ClusterName) -> None:
        _, task = self._serving.pop(cluster)
        self.members.pop(cluster, None)
        task.cancel()
        log.info("cluster disconnected", cluster=cluster)

    async def _run(self, registration: Registration) -> None:
        transport = await self._connect(registration)
        member = self.members[registration.name] = Member(registration.name, transport, self._context)
        log.info("cluster registered", cluster=registration.name, server=registration.endpoint.server)
        await member.run(lambda uid: self._on_identified(registration, uid))

    def _on_hub_identified(self, uid: str) -> None:
        self._identities.hub_uid = uid
        self._apply()

    def _on_identified(self, registration: Registration, uid: str) -> None:
        self._identities.note(registration, uid)
        self._apply()


def _by_cluster(judged: Sequence[Registration | RefusedRegistration]) -> dict[ClusterName, Registration | RefusedRegistration]:
    """Return what counts for each cluster: of two Secrets that name it the older."""
    return {each.name: each for each in reversed(judged) if each.name is not None}
