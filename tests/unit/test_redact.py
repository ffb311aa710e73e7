"""A server's message may quote what it refuses; no value of a source goes on from there."""

import base64

import pytest

from clustersync.core.api import Kind
from clustersync.core.errors import clean
from clustersync.core.model import LOCAL, Source, SourceKey
from clustersync.core.redact import redact

PASSWORD = "correct horse\nbattery staple"
SOURCE = Source(
    key=SourceKey(LOCAL, Kind.SECRET, "team", "s"),
    uid="1",
    resource_version=1,
    type="Opaque",
    immutable=False,
    labels={},
    annotations={},
    data={"password": PASSWORD.encode(), "pin": b"12", "blob": bytes(range(128, 160))},
    binary_data={},
)
LONG = "x" * 250

QUOTED = {
    "a value as it is": f"denied: {PASSWORD} is weak",
    "a value with its line breaks cleaned away": clean(f"denied: {PASSWORD} is weak"),
    "a value in base64": f"denied: {base64.b64encode(PASSWORD.encode()).decode()} is weak",
    "a binary value in base64": f"denied: {base64.b64encode(bytes(range(128, 160))).decode()} is weak",
    "a value twice": f"denied: {PASSWORD} and {PASSWORD}",
}


@pytest.mark.parametrize("message", QUOTED.values(), ids=QUOTED.keys())
def test_a_quoted_value_is_replaced(message: str) -> None:
    told = redact(message, SOURCE)
    assert "[redacted]" in told
    assert told.startswith("denied: ")
    for part in ("correct", "horse", "battery", base64.b64encode(PASSWORD.encode()).decode(), "gIGCg4SF"):
        assert part not in told


@pytest.mark.parametrize("characters", range(4, 20))
def test_the_beginning_of_a_value_at_the_cut_is_replaced(characters: int) -> None:
    message = clean(LONG[: 255 - characters] + PASSWORD, limit=256)
    assert message.endswith("…")
    told = redact(message, SOURCE)
    assert "corr" not in told
    assert told.endswith("[redacted]…")


def test_a_message_without_values_stays() -> None:
    assert redact("exceeded quota: compute, requested: 12", SOURCE) == "exceeded quota: compute, requested: 12"
