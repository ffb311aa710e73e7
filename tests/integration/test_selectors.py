"""Our selectors against the API server's own: the same namespaces for the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from clustersync.core.api import LabelSelector
from clustersync.core.selectors import compile_selector
from tests.builders import selector
from tests.harness import Objects, namespace

# The labels of the namespaces that the selectors choose from; names and values are as odd as the API server allows.
SPACES: dict[str, Mapping[str, str]] = {
    "bare": {},
    "gold": {"tier": "gold"},
    "gold-a": {"tier": "gold", "zone": "a"},
    "lead-a": {"tier": "lead", "zone": "a"},
    "empty": {"tier": ""},
    "empty-b": {"tier": "", "zone": "b"},
    "zone-only": {"zone": "b"},
    "upper": {"tier": "Gold"},
    "prefixed": {"example.com/tier": "gold"},
    "odd": {"tier": "g_o.l-d", "Zone": "a"},
}

SELECTORS: dict[str, LabelSelector] = {
    "everything": selector(),
    "an equal label": selector({"tier": "gold"}),
    "an equal label of upper case": selector({"tier": "Gold"}),
    "an equal label with an empty value": selector({"tier": ""}),
    "a value that nothing has": selector({"tier": "none"}),
    "a key that nothing has": selector({"none": "x"}),
    "a value with dots and underscores": selector({"tier": "g_o.l-d"}),
    "a key of upper case": selector({"Zone": "a"}),
    "a key with a prefix": selector({"example.com/tier": "gold"}),
    "two equal labels": selector({"tier": "gold", "zone": "a"}),
    "In one value": selector(None, ("tier", "In", "gold")),
    "In several values": selector(None, ("tier", "In", "gold", "lead", "none")),
    "In the empty value": selector(None, ("tier", "In", "")),
    "In some values and the empty one": selector(None, ("tier", "In", "gold", "")),
    "In values of a key that nothing has": selector(None, ("none", "In", "x", "")),
    "NotIn one value": selector(None, ("tier", "NotIn", "gold")),
    "NotIn several values": selector(None, ("tier", "NotIn", "gold", "lead")),
    "NotIn the empty value": selector(None, ("tier", "NotIn", "")),
    "NotIn values of a key that nothing has": selector(None, ("none", "NotIn", "x")),
    "Exists": selector(None, ("tier", "Exists")),
    "Exists with a prefix": selector(None, ("example.com/tier", "Exists")),
    "DoesNotExist": selector(None, ("tier", "DoesNotExist")),
    "DoesNotExist of a key that nothing has": selector(None, ("none", "DoesNotExist")),
    "a label and Exists": selector({"tier": "gold"}, ("zone", "Exists")),
    "a label and DoesNotExist": selector({"tier": "gold"}, ("zone", "DoesNotExist")),
    "Exists and NotIn of one key": selector(None, ("tier", "Exists"), ("tier", "NotIn", "gold")),
    "In and NotIn of one key": selector(None, ("tier", "In", "gold", "lead"), ("tier", "NotIn", "lead")),
    "Exists and DoesNotExist of one key": selector(None, ("tier", "Exists"), ("tier", "DoesNotExist")),
    "several keys at once": selector({"zone": "a"}, ("tier", "In", "gold", "lead"), ("example.com/tier", "DoesNotExist")),
}

SPACE = "selector-test"
"""The label that sets these namespaces apart from those of other tests."""


@pytest.fixture(scope="module")
def spaces(on_hub: Objects) -> list[dict[str, Any]]:
    """The namespaces as the API server stores them."""
    return [on_hub.create(namespace(f"selected-{name}", **{SPACE: "yes", **labels})) for name, labels in SPACES.items()]


def words(selected: LabelSelector) -> list[str]:
    """A selector in the syntax of the query parameter (apimachinery, labels.Parse)."""
    return [
        *(f"{key}={value}" for key, value in selected.match_labels.items()),
        *(_word(each.operator, each.key, ",".join(each.values)) for each in selected.match_expressions),
    ]


def _word(operator: str, key: str, values: str) -> str:
    match operator:
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} notin ({values})"
        case "Exists":
            return key
        case _:
            return f"!{key}"


@pytest.mark.parametrize("selected", SELECTORS.values(), ids=SELECTORS.keys())
def test_we_select_what_the_api_server_selects(on_hub: Objects, spaces: list[dict[str, Any]], selected: LabelSelector) -> None:
    query = quote(",".join([f"{SPACE}=yes", *words(selected)]), safe="")
    theirs = {each["metadata"]["name"] for each in on_hub.select("Namespace", selector=query)}
    matches = compile_selector(selected)
    assert {each["metadata"]["name"] for each in spaces if matches(each["metadata"].get("labels", {}))} == theirs
