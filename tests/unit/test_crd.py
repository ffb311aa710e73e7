"""The CRD as a file: what Kubernetes demands of its form; what it does is shown by `integration/test_crd.py`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clustersync.core.api import parse_spec
from clustersync.core.crd import crd, crd_yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))

# What a structural schema forbids, or what pydantic writes and Kubernetes does not know.
FORBIDDEN = {"$ref", "$defs", "anyOf", "allOf", "oneOf", "title", "propertyNames", "patternProperties", "const", "exclusiveMinimum"}


def root_schema() -> dict[str, Any]:
    (version,) = crd()["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def walk(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node of a schema with its path; `[]` stands for the items of a list, `{}` for the values of a map."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    for keyword, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if keyword in node:
            yield from walk(node[keyword], path + suffix)


NODES = dict(walk(root_schema()))
OURS = {path: node for path, node in NODES.items() if not path.startswith(".metadata")}


def test_the_file_in_the_repository_is_the_generated_one() -> None:
    assert (ROOT / "crds/clustersync.io_clustersyncs.yaml").read_text() == crd_yaml()


def test_the_file_says_the_same_as_the_object() -> None:
    assert yaml.safe_load(crd_yaml()) == crd()


def test_every_field_has_a_description_that_is_a_sentence() -> None:
    fields = {path: node.get("description", "") for path, node in OURS.items() if path and path[-1] not in "]}"}

    assert [path for path, text in fields.items() if not (text[:1].isupper() and text.endswith("."))] == []


def test_every_node_has_a_type_and_nothing_that_a_structural_schema_forbids() -> None:
    assert {path: node for path, node in NODES.items() if "type" not in node or node.keys() & FORBIDDEN} == {}


def test_no_limit_is_missing_on_what_a_user_can_write() -> None:
    limits = {"string": {"maxLength", "enum"}, "array": {"maxItems"}}
    written = {path: node for path, node in NODES.items() if path.startswith(".spec")}

    assert [path for path, node in written.items() if node["type"] in limits and not node.keys() & limits[node["type"]]] == []


def test_the_defaults_are_those_of_the_design_and_the_status_has_none() -> None:
    assert {path: node["default"] for path, node in NODES.items() if "default" in node} == {
        ".spec.clusters": [{"name": "local"}],
        ".spec.deletionPolicy": "Delete",
        ".spec.sourceDeletionPolicy": "Retain",
        ".spec.suspend": False,
    }


def test_only_fields_that_do_something_are_in_the_schema() -> None:
    assert list(NODES[".spec"]["properties"]) == [
        "source",
        "namespaceSelector",
        "clusters",
        "deletionPolicy",
        "sourceDeletionPolicy",
        "suspend",
    ]


def test_lists_say_how_they_are_merged() -> None:
    lists = {path: node.get("x-kubernetes-list-type") for path, node in NODES.items() if node["type"] == "array"}

    assert {path: kind for path, kind in lists.items() if kind != "atomic"} == {".status.clusters": "map", ".status.conditions": "map"}
    assert NODES[".status.clusters"]["x-kubernetes-list-map-keys"] == ["name"]
    assert NODES[".status.conditions"]["x-kubernetes-list-map-keys"] == ["type"]


@pytest.mark.parametrize("path", [".spec.namespaceSelector", ".spec.clusters[].selector"])
def test_a_label_selector_is_merged_as_a_whole(path: str) -> None:
    assert NODES[path]["x-kubernetes-map-type"] == "atomic"


def test_every_rule_has_a_message() -> None:
    rules = [rule for node in NODES.values() for rule in node.get("x-kubernetes-validations", [])]

    assert rules
    assert [rule for rule in rules if not rule["message"]] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_a_well_formed_clustersync_with_a_word_of_explanation(path: Path) -> None:
    text = path.read_text()
    (example,) = yaml.safe_load_all(text)

    assert text.startswith("# ")
    assert (example["apiVersion"], example["kind"]) == ("clustersync.io/v1alpha1", "ClusterSync")
    parse_spec(example["spec"])
