"""The settings of the controller, each an environment variable `CLUSTERSYNC_<NAME>` and an option of `clustersync run`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from clustersync.core.api import DnsLabel

PREFIX = "CLUSTERSYNC_"


class InvalidSettings(Exception):
    """A setting cannot be used; the message names it."""


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _pairs(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in _split(value)]
    if any(not key or not equals for key, equals, _ in pairs):
        raise ValueError("must be key=value pairs, separated by commas")
    return {key: text for key, _, text in pairs}


def _checked_hub_id(value: str) -> str:
    if not _HUB_ID.fullmatch(value):
        raise ValueError("must be a label value of at most 63 characters")
    return value


Words = Annotated[tuple[str, ...], BeforeValidator(_split)]
_HUB_ID = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")  # a label value, as it becomes one
HubId = Annotated[str, AfterValidator(_checked_hub_id)]


class Settings(BaseModel):
    """What an operator can set. Field names are the options' names, and the environment variables' after the prefix."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    kubeconfig: str | None = Field(default=None, description="Kubeconfig file of the hub; default: in-cluster, else the user's own.")
    context: str | None = Field(default=None, description="Context of that kubeconfig; default: its current one.")
    namespace: DnsLabel = Field(default="clustersync-system", description="The controller's namespace, which holds registration Secrets.")
    metrics_address: str = Field(default="0.0.0.0:8080", description="HOST:PORT of /metrics, /healthz and /readyz; empty turns them off.")
    leader_elect: bool = Field(default=True, description="Stand for a Lease, so that of several controllers one writes.")
    dry_run: bool = Field(default=False, description="Write status and events, but no replica and no finalizer.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="From which level up to log.")
    log_format: Literal["json", "text", "auto"] = Field(default="auto", description="json, text, or text on a terminal only.")
    local_labels: Annotated[dict[str, str], BeforeValidator(_pairs)] = Field(
        default_factory=dict, description="Labels of the hub's own cluster, k=v,.., for cluster selectors."
    )
    protected_namespaces: Words = Field(
        default=("kube-*",), description="Namespaces never written to, as globs; the controller's own is added."
    )
    hub_id: HubId | None = Field(default=None, description="Id of this hub on replicas; default: the UID of the namespace kube-system.")
    former_hub_ids: Annotated[tuple[HubId, ...], BeforeValidator(_split)] = Field(
        default=(), description="Earlier ids of this hub, whose replicas count as ours."
    )
    allow_loopback_clusters: bool = Field(default=False, description="Let registered clusters have loopback and link-local addresses.")
    max_concurrency: int = Field(default=64, ge=1, le=1024, description="Most writes at a time to one cluster.")

    @field_validator("metrics_address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if value and not (host and colon and port.isdecimal() and int(port) < 65536):
            raise ValueError("must be HOST:PORT")
        return value

    def is_protected(self, namespace: str) -> bool:
        """Whether nothing is ever written into this namespace."""
        return namespace == self.namespace or any(fnmatchcase(namespace, pattern) for pattern in self.protected_namespaces)


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read the settings; raises InvalidSettings with the variable's name."""
    values = {name: environ[key] for name in Settings.model_fields if (key := PREFIX + name.upper()) in environ}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise InvalidSettings(f"{PREFIX}{str(first['loc'][0]).upper()}: {first['msg']}") from None
