"""The status of a ClusterSync as pydantic models: what the controller reports. Origin of that part of the CRD."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from clustersync.core.api import ApiObject

MAX_FAILURES = 10  # design: at most ten examples in the status


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


# As metav1.Time: what comes back from the API server equals what was written.
Timestamp = Annotated[AwareDatetime, AfterValidator(_whole_seconds)]
# Limits of type, reason and message as in metav1.Condition.
Reason = Annotated[str, Field(min_length=1, max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]


class Condition(ApiObject):
    """One aspect of the state, after the Kubernetes API conventions."""

    type: Annotated[str, Field(max_length=316)] = Field(description="The aspect, such as Ready or SourceReady.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds: True, False or Unknown.")
    observed_generation: Count | None = Field(default=None, description="The metadata.generation that this condition speaks about.")
    last_transition_time: Timestamp = Field(description="When status last changed.")
    reason: Reason = Field(description="One CamelCase word for the cause.")
    message: Annotated[str, Field(max_length=32768)] = Field(description="The cause for people, and what to do about it; may be empty.")


class _Counts(ApiObject):
    """How many replicas there should be, and how they are doing."""

    desired: Count = Field(default=0, description="How many replicas there should be.")
    synced: Count = Field(default=0, description="How many of them equal the source.")
    pending: Count = Field(default=0, description="How many of them still wait for their turn.")
    failed: Count = Field(default=0, description="How many of them could not be written; each is tried again.")
    conflicts: Count = Field(default=0, description="How many of them are held up by an object that ClusterSync does not own.")


class ClusterRow(_Counts):
    """How one target cluster is doing."""

    name: str = Field(description="The name of the cluster.")
    reachable: bool = Field(description="Whether its API server answers.")
    message: str = Field(default="", description="Why the cluster is not in sync; empty when it is.")


class FailureRow(ApiObject):
    """One replica that is failing or in conflict."""

    cluster: str = Field(description="The cluster of the replica.")
    namespace: str = Field(description="The namespace of the replica.")
    name: str = Field(description="The name of the replica.")
    reason: str = Field(description="One CamelCase word for the cause.")
    message: str = Field(default="", description="The cause for people, as the API server put it.")
    since: Timestamp = Field(description="When it began to fail.")


class ClusterSyncStatus(_Counts):
    """What the controller last saw."""

    observed_generation: Count | None = Field(default=None, description="The metadata.generation that this status speaks about.")
    summary: str = Field(default="", description="Replicas in sync and wanted over all clusters, such as 48/50.")
    source: str = Field(default="", description="The source in one line, such as Secret team/registry.")
    sources: Count = Field(default=0, description="How many source objects exist.")
    clusters_ready: str = Field(default="", description="Target clusters that are reachable and all of them, such as 3/3.")
    last_sync_time: Timestamp | None = Field(default=None, description="The last moment at which a change brought every replica in sync.")
    clusters: tuple[ClusterRow, ...] = Field(
        default_factory=tuple,
        description="One row for each target cluster.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    failures: tuple[FailureRow, ...] = Field(
        default_factory=tuple,
        max_length=MAX_FAILURES,
        description="Up to ten of the replicas that fail or are in conflict, the oldest first.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    conditions: tuple[Condition, ...] = Field(
        default_factory=tuple,
        description="Ready sums up SourceReady, ClustersReady and ReplicasReady; others, such as Stalled, are there only while true.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
