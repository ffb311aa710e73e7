"""What can go wrong when talking to an API server, named by what the caller should do about it.

ApiError                      an attempt failed; `reason` and `message` are fit for a status
├── Transient                 try again later, nothing about the request is wrong
│   ├── Unreachable           no usable answer came; a write may or may not have been done
│   ├── Throttled             the server asked for patience (429, 503); the whole cluster pauses
│   └── NotLeading            nothing was sent: this process does not hold the lease
├── Stale                     our view is old: read again, then decide
│   ├── NotFound              404
│   ├── AlreadyExists         409 to a POST
│   ├── Conflict              409 to a PUT, PATCH or DELETE with preconditions
│   └── Gone                  410: the resourceVersion or continue token is too old, list anew
└── Refused                   the server will say no again until something else changes
    ├── Unauthorized          401
    ├── Forbidden             403: RBAC, quota, admission policy, terminating namespace
    └── Invalid               400, 413, 422 and every other refusal

A message is the server's own `Status.message`, cut and cleaned; never a body, never data.
"""

from __future__ import annotations

MESSAGE_LIMIT = 256
"""Characters kept of a text from a server or webhook (design, section 5)."""


def clean(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Return `text` on one line, free of control characters, at most `limit` characters."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * limit])
    line = " ".join(printable.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class ApiError(Exception):
    """A request that did not succeed. `status` is the HTTP status, 0 when there was no answer."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason or type(self).__name__
        self.retry_after_seconds = retry_after_seconds


class Transient(ApiError):
    """Try again later."""


class Unreachable(Transient):
    """No usable answer: refused, reset, timed out, TLS, or something that is not a Kubernetes API server."""


class Throttled(Transient):
    """429 or 503: `retry_after_seconds` is the server's wish, if it named one."""


class NotLeading(Transient):
    """The fence before every write was shut."""


class Stale(ApiError):
    """Our view of the object is old."""


class NotFound(Stale):
    """404."""


class AlreadyExists(Stale):
    """409 to a POST: an object of that name is there."""


class Conflict(Stale):
    """409: a precondition (uid, resourceVersion) did not hold."""


class Gone(Stale):
    """410: list anew."""


class Refused(ApiError):
    """The server refuses this request as it is."""


class Unauthorized(Refused):
    """401."""


class Forbidden(Refused):
    """403."""

    namespace_terminates: bool = False
    """Whether the namespace is being deleted: a lost race, not a failure (design, section 4)."""


class Invalid(Refused):
    """400, 413, 422."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    429: Throttled,
    503: Throttled,
}


# A webhook chooses the reason of its refusal freely, and it goes into status, logs and metrics: only these do.
_REASONS = frozenset({
    "Unauthorized", "Forbidden", "NotFound", "AlreadyExists", "Conflict", "Gone", "Invalid", "ServerTimeout", "StoreReadError",
    "Timeout", "TooManyRequests", "BadRequest", "MethodNotAllowed", "NotAcceptable", "RequestEntityTooLarge",
    "UnsupportedMediaType", "InternalError", "Expired", "ServiceUnavailable",
})  # fmt: skip
"""The values of `metav1.StatusReason` (apimachinery, pkg/apis/meta/v1/types.go)."""


def from_status(status: int, reason: str, message: str, retry_after_seconds: float | None = None) -> ApiError:
    """Return the error for an HTTP answer.

    `reason` is `Status.reason` (it tells AlreadyExists from Conflict), `message` is `Status.message`.
    """
    kind = _BY_STATUS.get(status) or (Transient if status >= 500 else Invalid)
    reason = reason if reason in _REASONS else ""
    if status == 409 and reason == "AlreadyExists":
        kind = AlreadyExists
    elif status == 410 or reason == "Expired":
        kind = Gone
    error = kind(clean(message) or f"HTTP {status}", status=status, reason=reason, retry_after_seconds=retry_after_seconds)
    if isinstance(error, Forbidden):
        # The plugin NamespaceLifecycle says so at the end of its message, which long names push beyond what is kept.
        error.namespace_terminates = "is being terminated" in message
    return error
