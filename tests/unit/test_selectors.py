"""Label selectors, term by term; `integration/test_selectors.py` holds them to a real API server."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from clustersync.core.api import LabelSelector
from clustersync.core.selectors import compile_selector
from tests.builders import selector

GOLD, LEAD, NONE, EMPTY = {"tier": "gold"}, {"tier": "lead"}, {"other": "x"}, {"tier": ""}

MATCHES: dict[str, tuple[LabelSelector, Mapping[str, str], bool]] = {
    "an empty selector matches everything": (selector(), GOLD, True),
    "an empty selector matches what has no labels": (selector(), {}, True),
    "an equal label matches": (selector({"tier": "gold"}), GOLD, True),
    "another value does not match": (selector({"tier": "gold"}), LEAD, False),
    "a missing label does not match": (selector({"tier": "gold"}), NONE, False),
    "an empty value matches an empty value": (selector({"tier": ""}), EMPTY, True),
    "an empty value does not match a missing label": (selector({"tier": ""}), NONE, False),
    "values are compared with their case": (selector({"tier": "Gold"}), GOLD, False),
    "all labels have to match": (selector({"tier": "gold", "zone": "a"}), GOLD, False),
    "all labels match": (selector({"tier": "gold", "zone": "a"}), {"tier": "gold", "zone": "a", "more": "x"}, True),
    "In matches one of its values": (selector(None, ("tier", "In", "lead", "gold")), GOLD, True),
    "In does not match another value": (selector(None, ("tier", "In", "lead")), GOLD, False),
    "In does not match a missing label": (selector(None, ("tier", "In", "gold", "")), NONE, False),
    "In matches an empty value": (selector(None, ("tier", "In", "")), EMPTY, True),
    "NotIn does not match one of its values": (selector(None, ("tier", "NotIn", "gold", "lead")), GOLD, False),
    "NotIn matches another value": (selector(None, ("tier", "NotIn", "lead")), GOLD, True),
    "NotIn matches a missing label": (selector(None, ("tier", "NotIn", "gold")), NONE, True),
    "NotIn matches a missing label even where it names the empty value": (selector(None, ("tier", "NotIn", "")), NONE, True),
    "NotIn does not match an empty value that it names": (selector(None, ("tier", "NotIn", "")), EMPTY, False),
    "Exists matches any value": (selector(None, ("tier", "Exists")), GOLD, True),
    "Exists matches an empty value": (selector(None, ("tier", "Exists")), EMPTY, True),
    "Exists does not match a missing label": (selector(None, ("tier", "Exists")), NONE, False),
    "DoesNotExist matches a missing label": (selector(None, ("tier", "DoesNotExist")), NONE, True),
    "DoesNotExist does not match an empty value": (selector(None, ("tier", "DoesNotExist")), EMPTY, False),
    "labels and expressions have to hold together": (selector({"tier": "gold"}, ("zone", "Exists")), GOLD, False),
    "labels and expressions hold together": (selector({"tier": "gold"}, ("zone", "DoesNotExist")), GOLD, True),
    "conditions on one key have to hold together": (selector(None, ("tier", "Exists"), ("tier", "NotIn", "gold")), GOLD, False),
    "conditions that contradict each other match nothing": (selector(None, ("tier", "Exists"), ("tier", "DoesNotExist")), GOLD, False),
    "a prefixed key is its own key": (selector({"example.com/tier": "gold"}), GOLD, False),
}


@pytest.mark.parametrize(("selected", "labels", "matches"), MATCHES.values(), ids=MATCHES.keys())
def test_selectors(selected: LabelSelector, labels: Mapping[str, str], matches: bool) -> None:
    assert compile_selector(selected)(labels) is matches
