"""Where a member cluster is and how to prove who we are to it: what is left of a kubeconfig once it was vetted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An API server and the credentials for it. PEM is decoded; client certificate and key come together or not at all."""

    server: str
    """`https://host[:port][/path]`, without a slash at the end; a literal address in its canonical spelling."""
    tls_server_name: str | None = None
    """The name to ask for and to verify, where it is not the host of `server`."""
    certificate_authority: bytes | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    client_certificate: bytes | None = field(default=None, repr=False)
    client_key: bytes | None = field(default=None, repr=False)
