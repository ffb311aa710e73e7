"""Settings from the environment: defaults, what is understood, and what is refused under the variable's name."""

from __future__ import annotations

from typing import Any

import pytest

from clustersync.settings import PREFIX, InvalidSettings, Settings, from_environment


def read(**variables: str) -> Settings:
    """The settings with these variables, named without their prefix."""
    return from_environment({f"{PREFIX}{name}": value for name, value in variables.items()})


DEFAULTS: dict[str, Any] = {
    "kubeconfig": None,
    "context": None,
    "namespace": "clustersync-system",
    "metrics_address": "0.0.0.0:8080",
    "leader_elect": True,
    "dry_run": False,
    "log_level": "info",
    "log_format": "auto",
    "local_labels": {},
    "protected_namespaces": ("kube-*",),
    "hub_id": None,
    "former_hub_ids": (),
    "allow_loopback_clusters": False,
    "max_concurrency": 64,
}


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = read().model_dump()
    assert {name: settings[name] for name in DEFAULTS} == DEFAULTS


def test_other_variables_are_none_of_its_business() -> None:
    assert from_environment({"NAMESPACE": "x", "PATH": "/bin", f"{PREFIX}UNKNOWN": "x"}) == read()


UNDERSTOOD: dict[str, tuple[str, str, Any]] = {
    "a path": ("KUBECONFIG", "/etc/hub", "/etc/hub"),
    "a context": ("CONTEXT", "hub", "hub"),
    "a namespace": ("NAMESPACE", "sync", "sync"),
    "an address": ("METRICS_ADDRESS", "127.0.0.1:0", "127.0.0.1:0"),
    "an IPv6 address": ("METRICS_ADDRESS", "[::]:9090", "[::]:9090"),
    "no address, which turns it off": ("METRICS_ADDRESS", "", ""),
    "false": ("LEADER_ELECT", "false", False),
    "true": ("DRY_RUN", "true", True),
    "one for true": ("ALLOW_LOOPBACK_CLUSTERS", "1", True),
    "a level": ("LOG_LEVEL", "debug", "debug"),
    "a format": ("LOG_FORMAT", "text", "text"),
    "one pair": ("LOCAL_LABELS", "env=prod", {"env": "prod"}),
    "pairs with blanks and a comma too many": ("LOCAL_LABELS", " env=prod , zone=a,", {"env": "prod", "zone": "a"}),
    "a pair with an empty value": ("LOCAL_LABELS", "env=", {"env": ""}),
    "a pair whose value has an equals sign": ("LOCAL_LABELS", "env=a=b", {"env": "a=b"}),
    "no pairs": ("LOCAL_LABELS", "", {}),
    "one glob": ("PROTECTED_NAMESPACES", "infra-*", ("infra-*",)),
    "a list with blanks and a comma too many": ("PROTECTED_NAMESPACES", " a, b-* ,,", ("a", "b-*")),
    "an empty list": ("PROTECTED_NAMESPACES", "", ()),
    "an id": ("HUB_ID", "hub-1", "hub-1"),
    "ids": ("FORMER_HUB_IDS", "hub-0,0b8f2a1e-6f0c-4a52-9c58-2a3b1c7d9e10", ("hub-0", "0b8f2a1e-6f0c-4a52-9c58-2a3b1c7d9e10")),
    "a number": ("MAX_CONCURRENCY", "8", 8),
}


@pytest.mark.parametrize(("name", "text", "value"), UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
def test_what_is_understood(name: str, text: str, value: Any) -> None:
    assert getattr(read(**{name: text}), name.lower()) == value


REFUSED: dict[str, tuple[str, str]] = {
    "an empty namespace": ("NAMESPACE", ""),
    "a namespace that is a path": ("NAMESPACE", "a/b"),
    "a namespace in upper case": ("NAMESPACE", "Sync"),
    "a namespace of 64 characters": ("NAMESPACE", "n" * 64),
    "an address without a port": ("METRICS_ADDRESS", "0.0.0.0"),
    "an address without a host": ("METRICS_ADDRESS", ":8080"),
    "a port that is no number": ("METRICS_ADDRESS", "0.0.0.0:http"),
    "a port beyond the last": ("METRICS_ADDRESS", "0.0.0.0:65536"),
    "neither true nor false": ("LEADER_ELECT", "maybe"),
    "nothing for a choice": ("DRY_RUN", ""),
    "a number for a choice": ("ALLOW_LOOPBACK_CLUSTERS", "2"),
    "an unknown level": ("LOG_LEVEL", "loud"),
    "an unknown format": ("LOG_FORMAT", "xml"),
    "a pair without a value": ("LOCAL_LABELS", "env=prod,zone"),
    "a pair without a key": ("LOCAL_LABELS", "=prod"),
    "an id that is no label value": ("HUB_ID", "hub 1"),
    "an empty id": ("HUB_ID", ""),
    "an id of 64 characters": ("HUB_ID", "h" * 64),
    "a former id that is no label value": ("FORMER_HUB_IDS", "hub-0,hub)"),
    "a word for a number": ("MAX_CONCURRENCY", "many"),
    "no concurrency at all": ("MAX_CONCURRENCY", "0"),
    "more concurrency than is any use": ("MAX_CONCURRENCY", "1025"),
}


@pytest.mark.parametrize(("name", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_names_its_variable(name: str, text: str) -> None:
    with pytest.raises(InvalidSettings) as refusal:
        read(**{name: text})
    assert str(refusal.value).startswith(f"{PREFIX}{name}: ")
    assert len(str(refusal.value).splitlines()) == 1


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(InvalidSettings) as refusal:
        read(LOCAL_LABELS="hunter2")
    assert "hunter2" not in str(refusal.value)


PROTECTED: dict[str, tuple[str, bool]] = {
    "what a glob matches": ("kube-system", True),
    "the controller's own namespace": ("clustersync-system", True),
    "what only begins alike": ("kubernetes", False),
    "any other": ("team-a", False),
}


@pytest.mark.parametrize(("namespace", "protected"), PROTECTED.values(), ids=PROTECTED.keys())
def test_protected_namespaces(namespace: str, protected: bool) -> None:
    assert read().is_protected(namespace) is protected


def test_the_controller_s_own_namespace_is_protected_whatever_is_set() -> None:
    settings = read(NAMESPACE="sync", PROTECTED_NAMESPACES="")
    assert settings.is_protected("sync")
    assert not settings.is_protected("kube-system")


def test_globs_are_compared_with_their_case_and_as_a_whole() -> None:
    settings = read(PROTECTED_NAMESPACES="infra-?,shared")
    assert settings.is_protected("infra-a")
    assert not settings.is_protected("infra-ab")
    assert not settings.is_protected("shared-too")
