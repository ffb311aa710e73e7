"""TLS towards a member cluster, made from a registration's bytes in memory: no key or certificate ever lies in a file."""

from __future__ import annotations

import os
import ssl

from clustersync.kube.endpoint import Endpoint


def ssl_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Return the client side of TLS to `endpoint`: verified chain and host name, TLS 1.2 or newer, HTTP/1.1.

    The system's authorities count only where the endpoint names none; loading them takes 48 ms of CPU, so call it in a thread.
    """
    context = _context()
    if endpoint.certificate_authority is None:
        context.load_default_certs()
    else:
        _trust(context, endpoint.certificate_authority)
    if endpoint.client_certificate is not None and endpoint.client_key is not None:
        _present(context, endpoint.client_certificate, endpoint.client_key)
    return context


def is_authority(pem: bytes) -> bool:
    """Whether `pem` loads as certificates to trust."""
    try:
        _trust(_context(), pem)
    except (ssl.SSLError, ValueError):
        return False
    return True


def is_identity(certificate: bytes, key: bytes) -> bool:
    """Whether the two load as a certificate (with or without its chain) and the key to it."""
    try:
        _present(_context(), certificate, key)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _context() -> ssl.SSLContext:
    # Not ssl.create_default_context: it writes session keys to the file that SSLKEYLOGFILE names.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # As Go verifies, so that what kubectl reaches is reached: an intermediate may be the anchor, and RFC 5280's finer points,
    # which older authorities of managed clusters miss, are not asked for; but the common name is no host name.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False
    return context


def _trust(context: ssl.SSLContext, pem: bytes) -> None:
    context.load_verify_locations(cadata=pem.decode("ascii"))


def _present(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a client certificate. The ssl module reads one from a path only, so the path is that of anonymous memory."""
    with os.fdopen(os.memfd_create("client-certificate"), "wb") as memory:
        memory.write(certificate + b"\n" + key)
        memory.flush()
        # Without a passphrase given here, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(f"/proc/self/fd/{memory.fileno()}", password=b"")
