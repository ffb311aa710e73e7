"""Compiles the four programs from the pinned Go module in `programs/`."""

import re
import tempfile
from pathlib import Path

from tests.controlplane.processes import Processes
from tests.controlplane.progress import run
from tests.controlplane.toolchain import find_go

MODULE = Path(__file__).with_name("programs")

# Where a Kubernetes program keeps its own version, and where its client library keeps the one in the User-Agent.
VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}

# What would make the result depend on the machine is fixed; proxies, caches and the like stay the user's.
ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def version_of(module: str) -> str:
    """As go.mod requires it, without the leading v."""
    found = re.search(rf"^\s*{re.escape(module)} v(\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{MODULE / 'go.mod'} does not require {module}")
    return found[1]


def flags() -> list[str]:
    """The same for all programs; without the version the server would call itself v0.0.0-master."""
    version = version_of("k8s.io/kubernetes")
    major, minor, _ = version.split(".", 2)
    stamps = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamped = " ".join(f"-X {package}.{name}={value}" for package in VERSION_PACKAGES for name, value in stamps.items())
    return ["-trimpath", "-ldflags", f"-s -w {stamped}"]


def recipe() -> bytes:
    """Everything that decides on the result, for the name of the cache entry."""
    inputs = [(MODULE / name).read_bytes() for name in ("go.mod", "go.sum")]
    return b"\0".join([*inputs, repr((PACKAGES, flags(), ENVIRONMENT)).encode()])


def compile_programs(processes: Processes, into: Path) -> None:
    """About seven minutes on two cores, seconds with a warm build cache; shows progress; raises CommandFailed."""
    go = find_go(processes, minimum=_minimum_go(), folder=processes.folder)
    scratch = Path(tempfile.mkdtemp(dir=processes.folder))
    for program, package in PACKAGES.items():
        argv = [str(go), "build", *flags(), "-o", str(into / program), package]
        run(processes, program, argv, folder=MODULE, env={**ENVIRONMENT, "GOTMPDIR": str(scratch)})


def _minimum_go() -> tuple[int, int]:
    found = re.search(r"^go (\d+)\.(\d+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]), int(found[2])
