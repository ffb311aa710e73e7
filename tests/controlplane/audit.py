"""What an API server says it was asked: its audit log, from a mark on, complete up to now."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NewType

import msgspec

Mark = NewType("Mark", int)
"""An offset in the log, in bytes."""

_FENCE_PREFIX = "audit-fence-"
FENCE_SECONDS = 10.0
FENCE_POLL_SECONDS = 0.005


class AuditEvent(msgspec.Struct, frozen=True):
    """One request. `code` is the HTTP status; `name` is empty for a list, and for a create whose name only the body has."""

    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    user: str
    user_agent: str
    timestamp: str
    request_uri: str
    stage: str


class _Object(msgspec.Struct):
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class _Status(msgspec.Struct):
    code: int = 0


class _User(msgspec.Struct):
    username: str = ""


class _Line(msgspec.Struct, rename="camel"):
    stage: str
    verb: str
    request_uri: str = msgspec.field(name="requestURI")
    stage_timestamp: str
    user: _User
    user_agent: str = ""
    object_ref: _Object = msgspec.field(default_factory=_Object)
    response_status: _Status = msgspec.field(default_factory=_Status)


_decoder = msgspec.json.Decoder(_Line)


def read(path: Path, mark: Mark = Mark(0)) -> list[AuditEvent]:
    """All complete lines after the mark, of every stage that the policy keeps."""
    with path.open("rb") as log:
        log.seek(mark)
        lines = log.read().splitlines(keepends=True)
    return [_event(_decoder.decode(line)) for line in lines if line.endswith(b"\n")]


class AuditLog:
    """`mark = log.mark(); ...; log.since(mark, resource="secrets")`. Blocks for some milliseconds: in asyncio use a thread."""

    def __init__(self, path: Path, touch: Callable[[str], object]) -> None:
        """`touch(name)` makes one audited request for an object of that name."""
        self._path = path
        self._touch = touch

    def mark(self) -> Mark:
        """Everything answered before this call lies before the mark."""
        self._fence()
        return Mark(self._path.stat().st_size)

    def since(self, mark: Mark, *, user_agent: str = "", resource: str = "", stage: str = "ResponseComplete") -> list[AuditEvent]:
        """Every request answered before this call. `user_agent` is a prefix; a watch that is still open has only `ResponseStarted`."""
        self._fence()
        return [
            event
            for event in read(self._path, mark)
            if event.stage == stage
            and event.user_agent.startswith(user_agent)
            and resource in ("", event.resource)
            and not event.name.startswith(_FENCE_PREFIX)
        ]

    def _fence(self) -> None:
        # Twice: a large answer can reach its client just before its line is written, and the second round gives that line its time.
        for _ in range(2):
            name = f"{_FENCE_PREFIX}{uuid.uuid4().hex}"
            before = Mark(self._path.stat().st_size if self._path.exists() else 0)
            self._touch(name)
            self._wait_for_line(name, before)

    def _wait_for_line(self, name: str, mark: Mark) -> None:
        deadline = time.monotonic() + FENCE_SECONDS
        while not any(event.name == name for event in read(self._path, mark)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._path}: the fence {name} did not appear in {FENCE_SECONDS:.0f} s")
            time.sleep(FENCE_POLL_SECONDS)


def _event(line: _Line) -> AuditEvent:
    target = line.object_ref
    return AuditEvent(
        verb=line.verb,
        resource=target.resource,
        subresource=target.subresource,
        namespace=target.namespace,
        name=target.name,
        code=line.response_status.code,
        user=line.user.username,
        user_agent=line.user_agent,
        timestamp=line.stage_timestamp,
        request_uri=line.request_uri,
        stage=line.stage,
    )
