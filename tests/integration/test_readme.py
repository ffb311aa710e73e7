"""The README's way to an installation of one's own, walked on real control planes as a reader would."""

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane, find_or_build, start_all
from tests.harness import ControllerProcess, Objects
from tests.readme import CLUSTER, CONTROLLER, README, Block, blocks

ROOT = README.parent
RUN = ".venv/bin/clustersync run "
STEP_SECONDS = 120.0  # longer than any --timeout on the page
DECLARATIONS = [block.text for block in blocks("yaml") if "kind: ClusterSync" in block.text]


def test_the_way_to_an_installation_can_be_walked(tmp_path: Path) -> None:
    for name in ("crds", "manifests", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    with start_all(["hub", "edge"], audit=False) as planes, ExitStack() as held:
        for block in blocks("sh"):
            if block.tag == CLUSTER:
                _type(block, planes, tmp_path)
            elif block.tag == CONTROLLER:
                held.enter_context(_controller(block, planes["hub"], tmp_path))
        assert Objects(planes["edge"]).get("Secret", "common-encode", "team-a") is None


@pytest.mark.parametrize("declaration", DECLARATIONS)
def test_the_declaration_that_is_shown_is_accepted(hub: ControlPlane, crd: None, declaration: str) -> None:
    assert "clustersync" in hub.kubectl("create", "--dry-run=server", "-f", "-", input=declaration).stdout


def _type(block: Block, planes: dict[str, ControlPlane], folder: Path) -> None:
    environ = {
        **os.environ,
        "KUBECONFIG": ":".join(str(plane.kubeconfig) for plane in planes.values()),
        "KUBERC": "off",
        "PATH": f"{find_or_build().kubectl.parent}:{os.environ['PATH']}",
    }
    shell = ["bash", "-euo", "pipefail"]
    done = subprocess.run(
        shell, input=block.text, cwd=folder, env=environ, capture_output=True, text=True, timeout=STEP_SECONDS, check=False
    )
    assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"


def _controller(block: Block, hub: ControlPlane, folder: Path) -> ControllerProcess:
    (command,) = block.lines
    assert command.startswith(RUN)
    return ControllerProcess(hub.kubeconfig, folder / "controller.log", *command.removeprefix(RUN).split())
