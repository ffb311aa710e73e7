"""The API of ClusterSync as pydantic models: what a declaration may say. What the controller reports stands in `api_status.py`.

Origin of the CRD (`core/crd.py`): descriptions, limits and CEL rules stand beside the fields they belong to, and every
CEL rule has its twin in Python, so that an object stored under an older CRD is judged the same way.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

GROUP = "clustersync.io"
VERSION = "v1alpha1"
PLURAL = "clustersyncs"
KIND = "ClusterSync"

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"

# Names, label keys and label values: k8s.io/apimachinery/pkg/api/validate/content and pkg/util/validation.
DnsLabel = Annotated[str, Field(pattern=f"^{_LABEL}$", max_length=63)]
DnsSubdomain = Annotated[str, Field(pattern=f"^{_SUBDOMAIN}$", max_length=253)]
LabelValue = Annotated[str, Field(pattern=r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$", max_length=63)]
_LABEL_KEY = rf"^({_SUBDOMAIN}/)?([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]$"
LABEL_PREFIX_MAX = 253
LABEL_KEY_MAX = 317  # prefix, slash, 63 characters of name

# Ours: far above real use, low enough that the API server can bound the cost of the CEL rules.
MAX_CLUSTER_TERMS = 256
MAX_REQUIREMENTS = 64
MAX_REQUIREMENT_VALUES = 256

_KEY_RULE = "an optional DNS prefix of at most 253 characters and a slash, then a name of at most 63 characters"
_ONE_TERM = "exactly one of name and selector must be set"
_VALUES = "values must not be empty for In and NotIn, and must be absent for Exists and DoesNotExist"


class InvalidSpec(Exception):
    """A stored spec that this version cannot act on; the message names the fields and holds none of their values."""


def _rule(rule: str, message: str, **more: str) -> dict[str, Any]:
    return {"x-kubernetes-validations": [{"rule": rule, "message": message, **more}]}


def _checked_label_key(key: str) -> str:
    if len(key) > LABEL_KEY_MAX or not re.fullmatch(_LABEL_KEY, key) or key.find("/") > LABEL_PREFIX_MAX:
        raise PydanticCustomError("label_key", f"a label key is {_KEY_RULE}")
    return key


LabelKey = Annotated[str, AfterValidator(_checked_label_key)]


class ApiObject(BaseModel):
    """A part of a ClusterSync as it is stored."""

    # Unknown fields of a stored object are ignored: a newer controller may have written them before a rollback.
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True)


class Kind(StrEnum):
    """A kind of object that can be replicated."""

    SECRET = "Secret"
    CONFIG_MAP = "ConfigMap"


class DeletionPolicy(StrEnum):
    """What becomes of a replica that is no longer wanted."""

    DELETE = "Delete"
    RETAIN = "Retain"


class SourceDeletionPolicy(StrEnum):
    """What becomes of the replicas of a source that is gone."""

    RETAIN = "Retain"
    DELETE = "Delete"


class LabelSelectorRequirement(ApiObject):
    """One condition on one label."""

    model_config = ConfigDict(
        json_schema_extra=_rule(
            "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
            _VALUES,
            fieldPath=".values",
        )
    )

    key: LabelKey = Field(
        description="The label key that the condition is about.",
        json_schema_extra={
            "pattern": _LABEL_KEY,
            "maxLength": LABEL_KEY_MAX,
            **_rule(f"self.indexOf('/') <= {LABEL_PREFIX_MAX}", f"key must be {_KEY_RULE}"),
        },
    )
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="In and NotIn compare the label's value with values (NotIn also matches where the label is missing); "
        "Exists and DoesNotExist only ask whether the label is there."
    )
    values: tuple[LabelValue, ...] = Field(
        default_factory=tuple,
        validate_default=True,
        max_length=MAX_REQUIREMENT_VALUES,
        description="The values to compare with: at least one for In and NotIn, none for Exists and DoesNotExist.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )

    @field_validator("values")
    @classmethod
    def _fit_the_operator(cls, values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        operator = info.data.get("operator")
        if operator is not None and bool(values) != (operator in ("In", "NotIn")):
            raise PydanticCustomError("values", _VALUES)
        return values


class LabelSelector(ApiObject):
    """A label selector as everywhere in Kubernetes: all its conditions have to hold, and an empty one matches everything."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})

    match_labels: Mapping[LabelKey, LabelValue] = Field(
        default_factory=dict,
        max_length=MAX_REQUIREMENTS,
        description="Labels that have to be there with exactly these values.",
        json_schema_extra=_rule(
            f"self.all(key, key.matches(r'{_LABEL_KEY}') && key.indexOf('/') <= {LABEL_PREFIX_MAX})",
            f"every key of matchLabels must be {_KEY_RULE}",
        ),
    )
    match_expressions: tuple[LabelSelectorRequirement, ...] = Field(
        default_factory=tuple,
        max_length=MAX_REQUIREMENTS,
        description="Conditions on labels, all of which have to hold.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class SourceRef(ApiObject):
    """The object that is copied."""

    kind: Kind = Field(description="The kind of the source, and of its replicas: Secret or ConfigMap.")
    namespace: DnsLabel = Field(description="The namespace of the source on the hub, the cluster that holds this ClusterSync.")
    name: DnsSubdomain = Field(description="The name of the source; replicas have the same name.")


class ClusterTerm(ApiObject):
    """Clusters to replicate to: one by its name, or some by their labels."""

    model_config = ConfigDict(json_schema_extra=_rule("has(self.name) != has(self.selector)", _ONE_TERM))

    name: DnsLabel | None = Field(default=None, description="A registered cluster, or local: the cluster that holds this ClusterSync.")
    selector: LabelSelector | None = Field(default=None, description="Selects clusters by their labels; an empty selector matches all.")

    @model_validator(mode="after")
    def _has_one_of_name_and_selector(self) -> Self:
        if (self.name is None) == (self.selector is None):
            raise PydanticCustomError("cluster_term", _ONE_TERM)
        return self


class ClusterSyncSpec(ApiObject):
    """What is to be replicated, and where to."""

    source: SourceRef = Field(description="The object that is copied. It stays as it is; only replicas are written.")
    namespace_selector: LabelSelector = Field(description="Selects namespaces by label, on each target cluster by itself; {} selects all.")
    clusters: tuple[ClusterTerm, ...] = Field(
        default=(ClusterTerm(name="local"),),
        max_length=MAX_CLUSTER_TERMS,
        description="The clusters to replicate to: each that any of these terms matches.",
        json_schema_extra={"minItems": 1, "x-kubernetes-list-type": "atomic"},
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.DELETE,
        description="What becomes of a replica that is no longer wanted, because this ClusterSync was deleted or no longer selects its "
        "namespace or its cluster: Delete removes it, Retain leaves it in place without the marks of ClusterSync.",
    )
    source_deletion_policy: SourceDeletionPolicy = Field(
        default=SourceDeletionPolicy.RETAIN,
        description="What becomes of the replicas when the source is gone: Retain keeps them as they are, Delete removes them.",
    )
    suspend: StrictBool = Field(
        default=False,
        description="True stops every write for this ClusterSync, deletions included, while the status goes on telling what is out of "
        "sync; when it is deleted while suspended, its replicas stay.",
    )

    # Not by min_length: pydantic would call a list empty when all of its items are refused.
    @field_validator("clusters")
    @classmethod
    def _has_a_term(cls, clusters: tuple[ClusterTerm, ...]) -> tuple[ClusterTerm, ...]:
        if not clusters:
            raise PydanticCustomError("clusters", "at least one cluster term is needed")
        return clusters


def parse_spec(spec: Mapping[str, Any]) -> ClusterSyncSpec:
    """Read the `spec` of a stored ClusterSync; raises InvalidSpec with the path of each field that is wrong."""
    try:
        return ClusterSyncSpec.model_validate(spec)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False, include_context=False)
        # Not chained: pydantic prints the keys of maps, which are the user's own.
        raise InvalidSpec("; ".join(f"{_path(detail['loc'])}: {detail['msg']}" for detail in details)) from None


def _path(location: tuple[int | str, ...]) -> str:
    """A field as the API server writes it, such as `spec.clusters[0].name`; what stands below a map is the user's own and left out."""
    path = "spec"
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
        if part == "matchLabels":
            break
    return path
