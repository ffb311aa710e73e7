"""What a server sends that is no API server: an error of the stream, never one of ours."""

import pytest

from clustersync.core.errors import Gone
from clustersync.kube.informer import BrokenStream, decode, stream_error
from clustersync.kube.wire import decode_event, decode_namespace

DEEP = b'{"type":"ADDED","object":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

GARBAGE = {
    "no JSON": b"<html>",
    "JSON of another shape": b"[1]",
    "an event without an object": b'{"type":"ADDED"}',
    "nested deeper than anything real": DEEP,
    "not UTF-8": b'{"type":"\xff","object":{}}',
}


@pytest.mark.parametrize("raw", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_a_broken_stream(raw: bytes) -> None:
    with pytest.raises(BrokenStream):
        decode(decode_event, raw)


def test_a_version_that_is_no_number_is_a_broken_stream() -> None:
    with pytest.raises(BrokenStream):
        decode(decode_namespace, b'{"metadata":{"name":"a","resourceVersion":"x"}}')


def test_an_error_event_says_what_the_server_said() -> None:
    error = stream_error(decode_event(b'{"type":"ERROR","object":{"code":410,"reason":"Expired","message":"too old"}}').object)
    assert isinstance(error, Gone)
    assert error.message == "too old"


def test_an_error_event_that_is_no_status_is_a_broken_stream() -> None:
    with pytest.raises(BrokenStream):
        stream_error(decode_event(b'{"type":"ERROR","object":{"code":"410"}}').object)
