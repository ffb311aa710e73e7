"""What an answer means for the caller, and that its text is fit for a status."""

from __future__ import annotations

import pytest

from clustersync.core.errors import (
    MESSAGE_LIMIT,
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Refused,
    Stale,
    Throttled,
    Transient,
    Unauthorized,
    clean,
    from_status,
)

ANSWERS: dict[str, tuple[int, str, type[ApiError], type[ApiError]]] = {
    "a malformed request": (400, "BadRequest", Invalid, Refused),
    "an expired token": (401, "Unauthorized", Unauthorized, Refused),
    "missing rights": (403, "Forbidden", Forbidden, Refused),
    "an object that is not there": (404, "NotFound", NotFound, Stale),
    "a method that is not allowed": (405, "MethodNotAllowed", Invalid, Refused),
    "a POST where something is": (409, "AlreadyExists", AlreadyExists, Stale),
    "a precondition that does not hold": (409, "Conflict", Conflict, Stale),
    "a conflict without a reason": (409, "", Conflict, Stale),
    "a revision that is too old": (410, "Expired", Gone, Stale),
    "a resource that is gone": (410, "Gone", Gone, Stale),
    "a body that is too large": (413, "RequestEntityTooLarge", Invalid, Refused),
    "a body that is invalid": (422, "Invalid", Invalid, Refused),
    "too many requests": (429, "TooManyRequests", Throttled, Transient),
    "an internal error": (500, "InternalError", Transient, Transient),
    "a failing webhook": (500, "", Transient, Transient),
    "a bad gateway": (502, "", Transient, Transient),
    "a server that is not ready": (503, "ServiceUnavailable", Throttled, Transient),
    "a server that timed out": (504, "Timeout", Transient, Transient),
}


@pytest.mark.parametrize(("status", "reason", "kind", "family"), ANSWERS.values(), ids=ANSWERS.keys())
def test_answers(status: int, reason: str, kind: type[ApiError], family: type[ApiError]) -> None:
    error = from_status(status, reason, "why")
    assert type(error) is kind
    assert isinstance(error, family)
    assert (error.status, error.message, str(error)) == (status, "why", "why")


def test_an_answer_without_a_reason_is_named_after_its_kind() -> None:
    assert from_status(409, "", "").reason == "Conflict"
    assert from_status(403, "", "").reason == "Forbidden"


def test_the_server_s_reason_is_kept() -> None:
    assert from_status(500, "ServerTimeout", "").reason == "ServerTimeout"


def test_an_answer_without_a_message_tells_its_status() -> None:
    assert from_status(502, "", " \n ").message == "HTTP 502"


def test_the_time_that_a_server_asks_for_is_kept() -> None:
    error = from_status(429, "TooManyRequests", "slow down", 7.5)
    assert error.retry_after_seconds == 7.5


@pytest.mark.parametrize(("namespace", "name"), [("team-a", "registry"), ("n" * 63, "s" * 253)], ids=["short names", "longest names"])
def test_a_terminating_namespace_is_told_from_other_refusals(namespace: str, name: str) -> None:
    lost_race = f'secrets "{name}" is forbidden: unable to create new content in namespace {namespace} because it is being terminated'
    quota = f'secrets "{name}" is forbidden: exceeded quota: few, requested: secrets=1, used: secrets=2, limited: secrets=2'
    for message, terminates in ((lost_race, True), (quota, False)):
        error = from_status(403, "Forbidden", message)
        assert isinstance(error, Forbidden)
        assert error.namespace_terminates is terminates


CLEANED: dict[str, tuple[str, str]] = {
    "plain text stays": ("exceeded quota: few", "exceeded quota: few"),
    "lines become one": ("one\r\ntwo\n\n\tthree", "one two three"),
    "blanks collapse": ("  one   two ", "one two"),
    "control characters go": ("one\x00\x1b[31mtwo\x7f\u2028three", "one [31mtwo three"),
    "text that turns direction loses the mark": ("one\u202etwo", "one two"),
    "other scripts stay": ("Grüße 世界", "Grüße 世界"),
    "nothing stays nothing": (" \n", ""),
}


@pytest.mark.parametrize(("text", "cleaned"), CLEANED.values(), ids=CLEANED.keys())
def test_a_message_is_one_line_of_printable_text(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize("length", [MESSAGE_LIMIT - 1, MESSAGE_LIMIT, MESSAGE_LIMIT + 1, 10**6])
def test_a_message_is_cut_and_says_so(length: int) -> None:
    cut = clean("x" * length)
    assert len(cut) == min(length, MESSAGE_LIMIT)
    assert cut.endswith("…") is (length > MESSAGE_LIMIT)


def test_a_reason_of_a_webhooks_own_choosing_goes_no_further() -> None:
    error = from_status(403, "the-value-of-a-secret" * 100, "denied")
    assert error.reason == "Forbidden"


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_reason_does_not_make_a_refusal_what_its_code_says_it_is_not(status: int) -> None:
    assert not isinstance(from_status(status, "AlreadyExists", "denied"), AlreadyExists)
