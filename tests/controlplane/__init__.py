"""Real Kubernetes control planes on loopback, for tests, demo and bench: `with start_all(["hub", "edge"]) as planes: ...`."""

from tests.controlplane.api import Reply
from tests.controlplane.audit import AuditEvent, AuditLog, Mark
from tests.controlplane.binaries import Binaries, BinariesError, find_or_build
from tests.controlplane.controlplane import ControlPlane, Options, StartFailed
from tests.controlplane.several import start_all

__all__ = [
    "AuditEvent",
    "AuditLog",
    "Binaries",
    "BinariesError",
    "ControlPlane",
    "Mark",
    "Options",
    "Reply",
    "StartFailed",
    "find_or_build",
    "start_all",
]
