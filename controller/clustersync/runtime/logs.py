"""Logs of the process: one line per event on stderr, ours and the libraries' through one renderer.

Nothing of unknown content is ever rendered: of an exception that is not ours only classes and places, of a value that
is not plain only its type, and of a library nothing below INFO, since some log bodies there.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterator
from datetime import datetime
from math import isfinite
from typing import Literal

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

LogFormat = Literal["json", "text", "auto"]

# One stdlib logger for all of ours: what comes by another name is a library's.
OUR_NAME = __name__.partition(".")[0]

# As messages of servers are cut in a status.
LIBRARY_MESSAGE_CHARACTERS = 256

# asyncio puts the repr of a task into its messages, and with it the text of an exception or a returned value.
TASK_OUTCOME = re.compile(r"\b(result|exception)=.*")

# The innermost frames; a recursion has a thousand.
FRAMES = 30


def configure(level: str = "info", format: LogFormat = "auto") -> None:
    """Send all logs of the process to stderr, from that level of ours up, and from INFO at least of the libraries.

    `auto` is text on a terminal and JSON elsewhere. Raises ValueError for an unknown level.
    """
    threshold = _level_number(level)
    handler = _StderrHandler()
    handler.addFilter(_is_ours_or_harmless)
    handler.setFormatter(_formatter(format))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(threshold, logging.INFO))
    logging.getLogger(OUR_NAME).setLevel(threshold)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: logging.getLogger(OUR_NAME),
        cache_logger_on_first_use=True,
    )


def describe_exception(error: BaseException) -> str:
    """Stacks and classes of an exception, its causes and its members, innermost cause first.

    The text of an exception is given only when its class is ours: that of any other may hold a body.
    """
    return "\n".join(_lines(error, set()))


def _level_number(level: str) -> int:
    numbers = logging.getLevelNamesMapping()
    if level.upper() not in numbers:
        raise ValueError(f"unknown log level {level!r}, expected debug, info, warning, error or critical")
    return numbers[level.upper()]


def _is_ours_or_harmless(record: logging.LogRecord) -> bool:
    # Beside the level of the root logger, since libraries set the levels of their own loggers.
    return record.name == OUR_NAME or record.levelno >= logging.INFO


def _formatter(format: LogFormat) -> logging.Formatter:
    on_terminal = sys.stderr.isatty()
    renderer: Processor = structlog.processors.JSONRenderer()
    if format == "text" or (format == "auto" and on_terminal):
        renderer = structlog.dev.ConsoleRenderer(
            colors=on_terminal,
            exception_formatter=structlog.dev.plain_traceback,  # the default shows local variables
        )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            _shorten_library_message,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_describe_exc_info),
            _in_order_and_plain,
            renderer,
        ],
    )


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    def handleError(self, record: logging.LogRecord) -> None:
        """Say only where a line was lost: the stdlib would print its message and arguments."""
        try:
            self.stream.write(f'{{"level": "error", "event": "log line lost", "logger": "{record.name}"}}\n')
        except (OSError, ValueError):
            return  # stderr itself is gone


def _shorten_library_message(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    # asyncio appends the repr of everything around a failure, line by line, after its message.
    first = str(line["event"]).partition("\n")[0]
    line["event"] = TASK_OUTCOME.sub(r"\1=...", first)[:LIBRARY_MESSAGE_CHARACTERS]
    return line


def _describe_exc_info(exc_info: ExcInfo) -> str:
    return describe_exception(exc_info[1])


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    if id(error) in seen:
        return
    seen.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _lines(cause, seen)
        yield "which led to:"
    for entry in traceback.format_tb(error.__traceback__, limit=-FRAMES):
        yield from entry.rstrip().split("\n")
    yield _headline(error)
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from (f"  | {line}" for line in _lines(member, seen))


def _headline(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{name}: {error}" if kind.__module__.partition(".")[0] == OUR_NAME else name


def _in_order_and_plain(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    first = {key: line.pop(key) for key in ("timestamp", "level", "event") if key in line}
    return {key: _plain(value) for key, value in (first | dict(line)).items()}


def _plain(value: object) -> object:
    """What may be shown of a value: plain ones and sequences of them; else its type, as a repr may hold anything."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if isfinite(value) else str(value)
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case datetime():
            return value.isoformat()
        case BaseException():
            return _headline(value)
        case _:
            return f"<{type(value).__name__}>"
