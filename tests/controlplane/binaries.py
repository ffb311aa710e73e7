"""Where the four programs come from: a folder that is named, the user's cache, or a build that fills the cache."""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.controlplane.build import PACKAGES, compile_programs, recipe, version_of
from tests.controlplane.processes import Processes

FOLDER_VARIABLE = "CLUSTERSYNC_CONTROLPLANE"
RECORD = "sizes.json"
UNFINISHED = ".building-"


class BinariesError(RuntimeError):
    """The folder that was named is of no use; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Binaries:
    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path

    @classmethod
    def within(cls, folder: Path) -> Self:
        return cls(*(folder / program for program in PACKAGES))


def find_or_build() -> Binaries:
    """The folder named by CLUSTERSYNC_CONTROLPLANE, else the cache, else a build: minutes, once."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return _named(Path(named))
    entry = cache_entry()
    if not is_complete(entry):
        entry.parent.mkdir(parents=True, exist_ok=True)
        with _alone(entry.parent):
            if not is_complete(entry):
                _build(entry)
    return Binaries.within(entry)


def cache_entry() -> Path:
    """Named by versions and platform for people, and by a digest of the build's inputs for certainty."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    versions = f"kubernetes-{version_of('k8s.io/kubernetes')}_etcd-{version_of('go.etcd.io/etcd/server/v3')}"
    digest = hashlib.sha256(recipe()).hexdigest()[:12]
    return Path(base) / "clustersync" / "controlplane" / f"{versions}_{sys.platform}-{platform.machine()}_{digest}"


def is_complete(entry: Path) -> bool:
    """Whether every program is there in the size that its build recorded."""
    try:
        recorded: object = json.loads((entry / RECORD).read_text())
        return recorded == _sizes(entry)
    except (OSError, ValueError):
        return False


def _sizes(folder: Path) -> dict[str, int]:
    return {program: (folder / program).stat().st_size for program in PACKAGES}


def _named(folder: Path) -> Binaries:
    missing = [program for program in PACKAGES if not os.access(folder / program, os.X_OK)]
    if missing:
        raise BinariesError(f"{FOLDER_VARIABLE}={folder} holds no executable {', '.join(missing)}")
    return Binaries.within(folder.resolve())


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One build at a time for this cache; the lock goes with the process that holds it, however that ends."""
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another run is building the control planes; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(entry: Path) -> None:
    for stale in entry.parent.glob(f"{UNFINISHED}*"):  # its process was killed, and its supervisor too: we hold the lock
        shutil.rmtree(stale, ignore_errors=True)
    print(f"Building the control planes into {entry} (about seven minutes, once)", flush=True)
    folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=entry.parent))
    with Processes(folder, keep=False) as processes:
        finished = folder / "programs"
        finished.mkdir()
        compile_programs(processes, finished)
        (finished / RECORD).write_text(json.dumps(_sizes(finished)))
        if entry.exists():
            entry.rename(folder / "damaged")
        finished.rename(entry)
