"""Plain blocking HTTPS requests to one API server, as administrator: for probes, fences and tests that need the raw answer."""

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """One connection a request: it must work right after the server was stopped and started."""

    def __init__(self, port: int, ca_pem: bytes, certificate: Path, key: Path) -> None:
        self._port = port
        self._context = ssl.create_default_context(cadata=ca_pem.decode())
        self._context.load_cert_chain(certificate, key)

    def request(self, method: str, path: str, body: Any = None, *, timeout_seconds: float = 10.0) -> Reply:
        """Raises OSError or http.client.HTTPException when there is no answer; any status is an answer."""
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=timeout_seconds, context=self._context)
        payload = None if body is None else json.dumps(body)
        try:
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            connection.request(method, path, payload, {"Content-Type": kind})
            response = connection.getresponse()
            return Reply(response.status, response.read())
        finally:
            connection.close()
