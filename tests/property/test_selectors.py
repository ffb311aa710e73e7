"""Label selectors against the rules as the documentation of Kubernetes states them, one sentence at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clustersync.core.api import LabelSelector, LabelSelectorRequirement
from clustersync.core.selectors import compile_selector
from tests.builders import selector

KEYS = st.sampled_from(["a", "b", "example.com/a"])
VALUES = st.sampled_from(["", "x", "y", "X"])
LABELS = st.dictionaries(KEYS, VALUES, max_size=3)


@st.composite
def expressions(draw: st.DrawFn) -> tuple[Any, ...]:
    operator = draw(st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]))
    values = draw(st.lists(VALUES, min_size=1, max_size=3)) if operator in ("In", "NotIn") else []
    return draw(KEYS), operator, *values


SELECTORS = st.builds(lambda labels, terms: selector(labels, *terms), LABELS, st.lists(expressions(), max_size=3))


def holds(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    has_key = requirement.key in labels
    if requirement.operator == "Exists":
        return has_key
    if requirement.operator == "DoesNotExist":
        return not has_key
    is_one_of_them = has_key and labels[requirement.key] in list(requirement.values)
    return is_one_of_them if requirement.operator == "In" else not is_one_of_them


@given(SELECTORS, LABELS)
def test_a_selector_matches_when_all_that_it_says_holds(selected: LabelSelector, labels: dict[str, str]) -> None:
    said = [labels.get(key) == value for key, value in selected.match_labels.items()]
    said += [holds(requirement, labels) for requirement in selected.match_expressions]
    assert compile_selector(selected)(labels) is all(said)


@given(st.lists(expressions(), min_size=1, max_size=4), LABELS, st.randoms())
def test_the_order_of_conditions_does_not_matter(terms: list[tuple[Any, ...]], labels: dict[str, str], random: Any) -> None:
    shuffled = list(terms)
    random.shuffle(shuffled)
    assert compile_selector(selector(None, *terms))(labels) is compile_selector(selector(None, *shuffled))(labels)


@given(KEYS, st.lists(VALUES, min_size=1, max_size=3), LABELS)
def test_not_in_is_the_opposite_of_in_and_does_not_exist_of_exists(key: str, values: list[str], labels: dict[str, str]) -> None:
    for operator, opposite, named in (("In", "NotIn", values), ("Exists", "DoesNotExist", [])):
        one, other = selector(None, (key, operator, *named)), selector(None, (key, opposite, *named))
        assert compile_selector(one)(labels) is not compile_selector(other)(labels)
