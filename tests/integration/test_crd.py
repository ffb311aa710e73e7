"""The CRD in a real API server: what it takes, what it refuses and with which words, and what kubectl shows of it."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.harness import install_crd
from tests.unit.test_api import ACCEPTED, MINIMAL, REFUSED, STATUS, declared

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))

pytestmark = pytest.mark.usefixtures("crd")


def clustersync(name: str, spec: dict[str, Any], **fields: Any) -> str:
    return json.dumps({"apiVersion": "clustersync.io/v1alpha1", "kind": "ClusterSync", "metadata": {"name": name}, "spec": spec} | fields)


def attempt(hub: ControlPlane, text: str) -> subprocess.CompletedProcess[str]:
    """Let the API server judge an object without storing it."""
    return hub.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", input=text, check=False)


@contextmanager
def stored(hub: ControlPlane, name: str) -> Iterator[str]:
    hub.kubectl("create", "-f", "-", input=clustersync(name, MINIMAL | {"suspend": True}))
    try:
        yield name
    finally:
        hub.kubectl("delete", "clustersync", name)


@pytest.fixture(scope="session")
def quiet(edge: ControlPlane) -> ControlPlane:
    """A cluster that serves ClusterSyncs, and where no controller writes their status."""
    install_crd(edge)
    return edge


@pytest.mark.parametrize("spec", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_is_well_formed_is_accepted(hub: ControlPlane, spec: dict[str, Any]) -> None:
    answer = attempt(hub, clustersync("crd-accepted", spec))

    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(("spec", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_malformed_is_refused_by_the_name_of_the_field(hub: ControlPlane, spec: dict[str, Any], field: str) -> None:
    answer = attempt(hub, clustersync("crd-refused", spec))

    assert answer.returncode != 0
    assert re.search(rf"\s{re.escape(field)}[.:]", answer.stderr), answer.stderr


@pytest.mark.parametrize(
    ("text", "field"),
    [
        pytest.param(clustersync("n" * 64, MINIMAL), "metadata.name", id="a name of 64 characters"),
        pytest.param(
            json.dumps({k: v for k, v in json.loads(clustersync("crd-refused", {})).items() if k != "spec"}), "spec", id="no spec"
        ),
        pytest.param(clustersync("crd-refused", declared(template={"name": "x"})), "spec.template", id="a field that does not exist yet"),
        pytest.param(clustersync("crd-refused", MINIMAL | {"suspended": True}), "spec.suspended", id="a misspelt field"),
    ],
)
def test_what_only_the_server_can_see_is_refused_too(hub: ControlPlane, text: str, field: str) -> None:
    answer = attempt(hub, text)

    assert answer.returncode != 0
    assert field in answer.stderr


def test_a_rule_speaks_in_words(hub: ControlPlane) -> None:
    answer = attempt(hub, clustersync("crd-refused", declared(clusters=[{}])))

    assert "spec.clusters[0]: Invalid value: exactly one of name and selector must be set" in answer.stderr


def test_a_name_of_63_characters_with_dots_is_accepted(hub: ControlPlane) -> None:
    answer = attempt(hub, clustersync(f"{'n' * 31}.{'m' * 31}", MINIMAL))

    assert answer.returncode == 0, answer.stderr


def test_the_server_writes_the_defaults(hub: ControlPlane) -> None:
    answer = attempt(hub, clustersync("crd-defaults", MINIMAL | {"suspend": None, "clusters": None}))

    assert json.loads(answer.stdout)["spec"] == MINIMAL | {
        "clusters": [{"name": "local"}],
        "deletionPolicy": "Delete",
        "sourceDeletionPolicy": "Retain",
        "suspend": False,
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_applies(hub: ControlPlane, path: Path) -> None:
    assert "created" in hub.kubectl("apply", "--dry-run=server", "-f", str(path)).stdout


def test_a_status_is_stored_as_it_was_written_and_shown_in_columns(quiet: ControlPlane) -> None:
    with stored(quiet, "crd-columns") as name:
        quiet.kubectl("patch", "clustersync", name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": STATUS}))
        seen = json.loads(quiet.kubectl("get", "csync", name, "-o", "json").stdout)["status"]
        narrow = quiet.kubectl("get", "csync", name).stdout.splitlines()
        wide = quiet.kubectl("get", "csync", name, "-o", "wide").stdout.splitlines()

    assert seen == STATUS
    assert narrow[0].split() == ["NAME", "SOURCE", "READY", "SYNCED", "CLUSTERS", "AGE"]
    assert narrow[1].split()[:-1] == [name, "Secret", "team/registry", "False", "48/50", "3/3"]
    assert wide[0].split()[6:] == ["FAILED", "CONFLICTS", "LAST", "SYNC", "MESSAGE"]
    assert wide[1].endswith("1 of 50 replicas failed, 1 is in conflict")


def test_a_status_cannot_be_written_with_the_spec(hub: ControlPlane) -> None:
    answer = attempt(hub, clustersync("crd-status", MINIMAL, status={"summary": "1/1"}))

    assert "status" not in json.loads(answer.stdout)


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("clustersync", "ClusterSync keeps an exact replica of one Secret or ConfigMap"),
        ("clustersync.spec.source", "The object that is copied."),
        ("csync.spec.clusters.selector.matchExpressions.operator", "Exists and DoesNotExist only ask whether the label is there."),
        ("csync.status.failures", "Up to ten of the replicas that fail or are in conflict"),
    ],
)
def test_kubectl_explains_a_field(hub: ControlPlane, field: str, sentence: str) -> None:
    assert sentence in " ".join(hub.kubectl("explain", field).stdout.split())
