from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest

from clustersync.kube.events import Backlog, InvolvedObject, Occurrences, event_name, new_event

NOON = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
SYNC = InvolvedObject("clustersync.io/v1alpha1", "ClusterSync", "harbor-credential", uid="1")


def happened(message: str, *, seconds: int = 0, warning: bool = False) -> Occurrences:
    moment = NOON + timedelta(seconds=seconds)
    return Occurrences(1, moment, moment, (message,), warning)


def about(name: str) -> InvolvedObject:
    return InvolvedObject("v1", "Secret", name, "team-7", uid=f"uid of {name}")


def test_occurrences_add_up_in_count_time_and_type() -> None:
    total = happened("refused", seconds=0) + happened("refused", seconds=20, warning=True) + happened("refused", seconds=40, warning=True)
    assert total == Occurrences(3, NOON, NOON + timedelta(seconds=40), ("refused",), True)


MESSAGES = [
    pytest.param(["refused"], "refused", id="one stays as it is"),
    pytest.param(["refused"] * 5, "refused", id="the same one several times stays as it is"),
    pytest.param(["a", "b", "a"], "3 times, such as: a; b", id="different ones are quoted once each"),
    pytest.param(list("abcdefg"), "7 times, such as: a; b; c", id="of many the first three are quoted"),
]


@pytest.mark.parametrize(("said", "message"), MESSAGES)
def test_the_message_of_several_occurrences(said: list[str], message: str) -> None:
    total = happened(said[0])
    for text in said[1:]:
        total += happened(text)
    assert total.message == message


def test_three_examples_of_any_length_fit_into_a_message() -> None:
    total = happened("a" * 1024) + happened("b" * 1024) + happened("c" * 1024)
    assert len(total.message) <= 1024
    assert all(letter * 300 in total.message for letter in "abc")


NAMES = [
    pytest.param("harbor", "harbor", id="a short name is kept"),
    pytest.param("a" * 253, "a" * 236, id="the longest is cut"),
    pytest.param("a" * 235 + ".b", "a" * 235, id="a cut leaves no dot before the suffix"),
    pytest.param("a" * 235 + "-bc", "a" * 235, id="a cut leaves no dash before the suffix"),
]


@pytest.mark.parametrize(("name", "stem"), NAMES)
def test_the_name_of_an_event_is_a_valid_one(name: str, stem: str) -> None:
    made = event_name(name, Random(1))
    assert made.rpartition(".")[0] == stem
    assert len(made) <= 253
    assert int(made.rpartition(".")[2], 16) > 0


def test_two_events_about_one_object_differ_in_name() -> None:
    random = Random(1)
    assert event_name("harbor", random) != event_name("harbor", random)


def test_the_event_of_a_cluster_scoped_object_lies_in_the_default_namespace() -> None:
    body = new_event("harbor-credential.1f", SYNC, "Synced", happened("done"), "pod-1")
    assert body["metadata"] == {"name": "harbor-credential.1f", "namespace": "default"}
    assert body["involvedObject"]["namespace"] == ""


def test_times_are_written_in_utc() -> None:
    moment = NOON.astimezone(timezone(timedelta(hours=-7)))
    body = new_event("a.1f", about("a"), "Conflict", Occurrences(1, moment, moment, ("m",), True), "pod-1")
    assert (body["firstTimestamp"], body["lastTimestamp"]) == ("2026-05-20T12:00:00Z", "2026-05-20T12:00:00Z")


def test_one_object_and_reason_is_one_entry_and_another_reason_is_another() -> None:
    backlog = Backlog()
    first = backlog.add(SYNC, "Synced", happened("done"), 0.0)
    again = backlog.add(SYNC, "Synced", happened("done"), 1.0)
    assert again is first
    assert again is not None
    assert again.waiting == happened("done") + happened("done")
    assert backlog.add(SYNC, "Conflict", happened("taken"), 1.0) is not first


def test_objects_without_a_uid_are_told_apart_by_kind_namespace_and_name() -> None:
    backlog = Backlog()
    for namespace in ("team-1", "team-2"):
        for kind in ("Secret", "ConfigMap"):
            backlog.add(InvolvedObject("v1", kind, "registry", namespace), "Conflict", happened("taken"), 0.0)
    assert len(backlog) == 4


def full_backlog() -> Backlog:
    backlog = Backlog(capacity=2)
    for name in ("old", "older"):
        entry = backlog.add(about(name), "Conflict", happened("taken"), 0.0)
        assert entry is not None
        entry.waiting, entry.due_at = None, 60.0
    backlog.add(about("old"), "Conflict", happened("taken"), 30.0)
    return backlog


def test_a_full_backlog_forgets_what_was_quiet_for_longest() -> None:
    backlog = full_backlog()
    assert backlog.add(about("new"), "Conflict", happened("taken"), 60.0) is not None
    assert len(backlog) == 2
    remembered = backlog.add(about("old"), "Conflict", happened("taken"), 61.0)
    assert remembered is not None
    assert remembered.waiting is not None
    assert remembered.waiting.count == 2


def test_a_full_backlog_takes_nothing_new_while_the_oldest_is_within_its_minute() -> None:
    backlog = full_backlog()
    assert backlog.add(about("new"), "Conflict", happened("taken"), 59.0) is None
    assert backlog.add(about("old"), "Conflict", happened("taken"), 59.0) is not None


def test_a_full_backlog_takes_nothing_new_while_the_oldest_waits_to_be_posted() -> None:
    backlog = full_backlog()
    backlog.add(about("older"), "Conflict", happened("taken"), 61.0)
    assert backlog.add(about("new"), "Conflict", happened("taken"), 3600.0) is None
