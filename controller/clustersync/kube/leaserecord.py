"""The record in a Lease: how it is claimed and given up, and when another's counts as expired. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

LEASE_SECONDS = 15
"""client-go's default; also for a record that names no duration."""


class LeaseSpec(msgspec.Struct, frozen=True, rename="camel"):
    """The record of a Lease; times are RFC 3339 with microseconds."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Sighting:
    """The record as last seen, and since when, by our own clock, it has not changed."""

    def __init__(self) -> None:
        self.spec: LeaseSpec | None = None
        self._since = 0.0

    def see(self, spec: LeaseSpec, now: float) -> None:
        """Take in a record that was read."""
        if spec != self.spec:
            self.spec, self._since = spec, now

    def is_free(self, identity: str, now: float) -> bool:
        """Whether the record may be claimed: it never was held, was given up, is the asker's own, or stood still too long."""
        if self.spec is None or not self.spec.holder_identity or self.spec.holder_identity == identity:
            return True
        return now >= self._since + (self.spec.lease_duration_seconds or LEASE_SECONDS)


def claimed(previous: LeaseSpec | None, identity: str, lease_seconds: int, now: datetime) -> LeaseSpec:
    """Return the record by which `identity` takes or renews the lease; another's becoming ours is a transition."""
    stamp = rfc3339_micro(now)
    renewal = LeaseSpec(identity, lease_seconds, stamp, stamp, 0)
    if previous is None:
        return renewal
    transitions = previous.lease_transitions or 0
    if previous.holder_identity == identity:
        return msgspec.structs.replace(renewal, acquire_time=previous.acquire_time, lease_transitions=transitions)
    return msgspec.structs.replace(renewal, lease_transitions=transitions + 1)


def released(previous: LeaseSpec, now: datetime) -> LeaseSpec:
    """Return the record by which its holder gives the lease up."""
    return msgspec.structs.replace(previous, holder_identity="", renew_time=rfc3339_micro(now))


def rfc3339_micro(moment: datetime) -> str:
    """Return an aware datetime as Kubernetes' MicroTime."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
