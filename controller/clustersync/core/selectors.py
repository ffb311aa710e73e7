"""Label selectors: the one place that says whether labels match, used for writing and for deleting alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clustersync.core.api import LabelSelector, LabelSelectorRequirement

Labels = Mapping[str, str]
Predicate = Callable[[Labels], bool]


def compile_selector(selector: LabelSelector) -> Predicate:
    """Return a predicate over labels with the semantics of `metav1.LabelSelector`: all terms must hold, an empty one matches all.

    As in Kubernetes, `NotIn` and a missing key match (apimachinery, labels.Requirement.Matches).
    """
    terms = [_equals(key, value) for key, value in selector.match_labels.items()]
    terms += [_requirement(expression) for expression in selector.match_expressions]
    if not terms:
        return lambda labels: True
    if len(terms) == 1:
        return terms[0]
    return lambda labels: all(term(labels) for term in terms)


def _equals(key: str, value: str) -> Predicate:
    return lambda labels: labels.get(key) == value


def _requirement(expression: LabelSelectorRequirement) -> Predicate:
    key, values = expression.key, frozenset(expression.values)
    match expression.operator:
        case "In":
            return lambda labels: labels.get(key) in values
        case "NotIn":
            return lambda labels: labels.get(key) not in values
        case "Exists":
            return lambda labels: key in labels
        case "DoesNotExist":
            return lambda labels: key not in labels
