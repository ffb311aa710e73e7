"""What a person with `kubectl get --watch` would see, as it arrives: the clock of the demo."""

import http.client
import json
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Thread
from typing import Any
from urllib.parse import urlsplit

from tests.controlplane import ControlPlane

Json = dict[str, Any]

PATIENCE_SECONDS = 20.0  # a thousand times what a step takes on an idle machine: only a defect comes so late


class NotSeen(Exception):
    """What was waited for did not happen in time."""


class View:
    """The objects at one path of one cluster, by namespace and name."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], Json] = {}

    def get(self, namespace: str, name: str) -> Json | None:
        """Return the object as last seen, None if there is none."""
        return self._objects.get((namespace, name))

    def apply(self, event: Json) -> None:
        """Take one event of the watch in."""
        obj: Json = event["object"]
        key = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
        if event["type"] == "DELETED":
            self._objects.pop(key, None)
        else:
            self._objects[key] = obj


class Watching:
    """Several views, fed by one thread each, and one place to wait for a state of them."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._last_change_seconds = 0.0

    def view(self, plane: ControlPlane, path: str) -> View:
        """Watch a path, from the present state on; the watch ends with its API server."""
        view = View()
        Thread(target=self._follow, args=(plane, path, view), name=f"watch {plane.name} {path}", daemon=True).start()
        return view

    def until(self, is_true: Callable[[], bool]) -> float:
        """Wait until the views satisfy `is_true`; return when the change that did it came (perf_counter); raises NotSeen."""
        with self._changed:
            if not self._changed.wait_for(is_true, PATIENCE_SECONDS):
                raise NotSeen(f"not within {PATIENCE_SECONDS:.0f} s")
            return self._last_change_seconds

    def _follow(self, plane: ControlPlane, path: str, view: View) -> None:
        with suppress(OSError, http.client.HTTPException, ValueError):  # the API server is being torn down
            for line in _stream(plane, path):
                event = json.loads(line)
                with self._changed:
                    self._last_change_seconds = time.perf_counter()
                    view.apply(event)
                    self._changed.notify_all()


def _stream(plane: ControlPlane, path: str) -> http.client.HTTPResponse:
    context = ssl.create_default_context(cadata=plane.ca_pem.decode())
    context.load_cert_chain(plane.directory / "admin.crt", plane.directory / "admin.key")
    address = urlsplit(plane.server_url)
    connection = http.client.HTTPSConnection(str(address.hostname), address.port, context=context)
    connection.request("GET", path)
    return connection.getresponse()
