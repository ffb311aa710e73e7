import asyncio
import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
import structlog

from clustersync.runtime import logs

SECRET = "hunter2-in-the-body"

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, logs.OUR_NAME, "kubernetes_asyncio.client.rest")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers = handlers


def lines(capture: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capture.readouterr().err.splitlines()]


class OurError(Exception):
    """Stands for one of ours, which are known by the package they are defined in."""


OurError.__module__ = "clustersync.core.errors"


def test_line_is_json_with_time_level_event_and_pairs(capsys: Capture) -> None:
    logs.configure("info", "json")
    structlog.get_logger().info("replica written", namespace="team-7", attempt=2, took=0.25)
    (line,) = lines(capsys)
    assert list(line) == ["timestamp", "level", "event", "namespace", "attempt", "took"]
    assert line["timestamp"].endswith("Z")
    assert abs((datetime.fromisoformat(line["timestamp"]) - datetime.now(UTC)).total_seconds()) < 60
    assert (line["level"], line["event"]) == ("info", "replica written")
    assert (line["namespace"], line["attempt"], line["took"]) == ("team-7", 2, 0.25)


def test_library_goes_through_the_same_renderer(capsys: Capture) -> None:
    logs.configure("info", "json")
    logging.getLogger("aiohttp.server").warning("slow request from %s", "10.0.0.1")
    (line,) = lines(capsys)
    assert (line["level"], line["event"], line["logger"]) == ("warning", "slow request from 10.0.0.1", "aiohttp.server")


def test_bound_context_is_on_the_lines_of_both(capsys: Capture) -> None:
    logs.configure("info", "json")
    with structlog.contextvars.bound_contextvars(cluster="edge-1"):
        structlog.get_logger().info("ours")
        logging.getLogger("asyncio").warning("theirs")
    structlog.get_logger().info("outside")
    assert [line.get("cluster") for line in lines(capsys)] == ["edge-1", "edge-1", None]


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        pytest.param("debug", ["our debug", "our info", "our error", "their info", "their error"], id="debug shows all of ours"),
        pytest.param("INFO", ["our info", "our error", "their info", "their error"], id="info shows both from info up"),
        pytest.param("error", ["our error", "their error"], id="error silences both below"),
    ],
)
def test_level(level: str, shown: list[str], capsys: Capture) -> None:
    logs.configure(level, "json")
    ours, theirs = structlog.get_logger(), logging.getLogger("kubernetes_asyncio.client.rest")
    for name in ("debug", "info", "error"):
        getattr(ours, name)(f"our {name}")
    for name in ("debug", "info", "error"):
        getattr(theirs, name)("their %s", name)
    assert [line["event"] for line in lines(capsys)] == shown


def test_library_that_sets_its_own_level_to_debug_stays_silent(capsys: Capture) -> None:
    logs.configure("debug", "json")
    rest = logging.getLogger("kubernetes_asyncio.client.rest")
    rest.setLevel(logging.DEBUG)
    rest.debug("response body: %s", SECRET)
    assert lines(capsys) == []


def test_unknown_level_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="unknown log level 'loud'"):
        logs.configure("loud")


@pytest.mark.parametrize(
    ("on_terminal", "format", "is_json"),
    [
        pytest.param(True, "auto", False, id="a terminal gets text"),
        pytest.param(False, "auto", True, id="a file gets JSON"),
        pytest.param(True, "json", True, id="a terminal gets JSON when asked to"),
        pytest.param(False, "text", False, id="a file gets text when asked to"),
    ],
)
def test_format(on_terminal: bool, format: logs.LogFormat, is_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = StringIO()
    monkeypatch.setattr(stderr, "isatty", lambda: on_terminal, raising=False)
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.configure("info", format)
    structlog.get_logger().info("replica written", namespace="team-7")
    line = stderr.getvalue()
    assert line.startswith("{") == is_json
    assert ("\x1b" in line) == (on_terminal and not is_json)
    assert "team-7" in line


def raise_unknown() -> None:
    password = SECRET
    raise ValueError(f"server said {password}")


def raise_with_cause() -> None:
    try:
        raise_unknown()
    except ValueError as error:
        raise OurError("Secret team-7/registry on edge-1 was refused") from error


def raise_group() -> None:
    raise ExceptionGroup(SECRET, [ValueError(SECRET), OurError("worker stopped")])


def raise_while_handling() -> None:
    try:
        raise_unknown()
    except ValueError:
        raise KeyError(SECRET) from None


def raise_in_a_circle() -> None:
    first, second = ValueError(SECRET), KeyError(SECRET)
    first.__cause__, second.__cause__ = second, first
    raise first


@pytest.mark.parametrize("format", ["json", "text"])
@pytest.mark.parametrize(
    ("fail", "named"),
    [
        pytest.param(raise_unknown, ["in raise_unknown", "ValueError"], id="an unknown exception shows place and class"),
        pytest.param(
            raise_with_cause,
            ["ValueError", "which led to", "clustersync.core.errors.OurError: Secret team-7/registry on edge-1 was refused"],
            id="one of ours shows its message, and its cause",
        ),
        pytest.param(raise_group, ["ExceptionGroup", "| ValueError", "OurError: worker stopped"], id="a group shows its members"),
        pytest.param(raise_while_handling, ["KeyError"], id="a suppressed context is not shown"),
        pytest.param(raise_in_a_circle, ["KeyError", "ValueError"], id="a circle of causes ends"),
    ],
)
def test_exception_is_shown_without_text_and_locals(
    fail: Callable[[], None], named: list[str], format: logs.LogFormat, capsys: Capture
) -> None:
    logs.configure("info", format)
    for log in (structlog.get_logger(), logging.getLogger("aiohttp.server")):
        try:
            fail()
        except (ValueError, KeyError, OurError, ExceptionGroup):
            log.exception("request failed")
        written = capsys.readouterr().err
        assert [part for part in named if part not in written] == []
        assert SECRET not in written


def test_suppressed_context_is_left_out() -> None:
    with pytest.raises(KeyError) as caught:
        raise_while_handling()
    assert "ValueError" not in logs.describe_exception(caught.value)


class Body:
    def __repr__(self) -> str:
        return SECRET


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(Body(), "<Body>", id="an object is its type"),
        pytest.param(SECRET.encode(), "<bytes>", id="bytes are their type"),
        pytest.param({"password": SECRET}, "<dict>", id="a mapping is its type"),
        pytest.param(["a", Body()], ["a", "<Body>"], id="a list shows its plain members"),
        pytest.param(("edge-1", "team-7", None, True), ["edge-1", "team-7", None, True], id="a tuple of names is shown"),
        pytest.param(ValueError(SECRET), "ValueError", id="an exception is its class"),
        pytest.param(OurError("no such namespace"), "clustersync.core.errors.OurError: no such namespace", id="one of ours has text"),
        pytest.param(float("inf"), "inf", id="infinity is a string, since JSON has none"),
        pytest.param(datetime(2026, 5, 20, tzinfo=UTC), "2026-05-20T00:00:00+00:00", id="a moment is ISO"),
    ],
)
def test_value(value: object, shown: object, capsys: Capture) -> None:
    logs.configure("info", "json")
    structlog.get_logger().info("event", value=value)
    structlog.get_logger().info(value)
    in_pair, as_event = lines(capsys)
    assert in_pair["value"] == shown
    assert as_event["event"] == shown


def test_exception_that_nobody_awaited_shows_no_text(capsys: Capture) -> None:
    logs.configure("debug", "json")

    async def lose_one() -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "Task exception was never retrieved", "exception": ValueError(SECRET), "future": Body()}
        )

    asyncio.run(lose_one())
    (line,) = lines(capsys)
    assert line["event"] == "Task exception was never retrieved"
    assert line["exception"].endswith("ValueError")


def test_message_of_a_library_is_cut_before_a_task_outcome_and_at_256_characters(capsys: Capture) -> None:
    logs.configure("info", "json")
    log = logging.getLogger("asyncio")
    log.warning("Executing <Task finished name='x' result=%r> took 2 seconds", SECRET)
    log.warning("x" * 1000)
    assert [line["event"] for line in lines(capsys)] == ["Executing <Task finished name='x' result=...", "x" * 256]


def test_line_that_cannot_be_formatted_shows_neither_message_nor_arguments(capsys: Capture) -> None:
    logs.configure("info", "json")
    logging.getLogger("aiohttp.server").warning("%d requests", SECRET)
    (line,) = lines(capsys)
    assert line == {"level": "error", "event": "log line lost", "logger": "aiohttp.server"}


def test_configuring_again_replaces_what_was(capsys: Capture) -> None:
    logs.configure("error", "json")
    logs.configure("info", "json")
    structlog.get_logger().info("once")
    assert len(lines(capsys)) == 1
