"""The README tells the truth: its commands exist and work, its table of settings is complete."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from clustersync.settings import PREFIX, Settings
from tests.readme import CLUSTER, CONTROLLER, HERE, MAKE, README, blocks

ROOT = README.parent
BIN = Path(sys.executable).parent
COMMANDS = [line for block in blocks("sh", HERE) for line in block.lines]
TARGETS = [line for block in blocks("sh", MAKE) for line in block.lines]


def test_every_block_is_output_or_says_which_test_runs_it() -> None:
    known = {("text", ""), ("yaml", ""), *(("sh", tag) for tag in (MAKE, HERE, CLUSTER, CONTROLLER))}
    assert {(each.language, each.tag) for each in blocks()} == known


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_shown_works(command: str) -> None:
    program, *arguments = command.split()
    assert program.startswith(".venv/bin/")
    done = subprocess.run([BIN / Path(program).name, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("command", [*TARGETS, "make demo ONCE=1"])
def test_a_make_target_that_is_shown_is_in_the_list_that_make_prints(command: str) -> None:
    assert command in README.read_text()
    target = command.split()[1]
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.search(rf"^  {target} +\S", listed, re.MULTILINE), listed


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_has_its_row(name: str) -> None:
    assert _row(name, Settings.model_fields[name]) in README.read_text().splitlines()


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)]+)\)", README.read_text()))
def test_a_link_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


def _row(name: str, field: FieldInfo) -> str:
    option = f"--{'[no-]' if field.annotation is bool else ''}{name.replace('_', '-')}"
    return f"| `{option}` | `{PREFIX}{name.upper()}` | {_default(field)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    match field.get_default(call_default_factory=True):
        case True:
            return "on"
        case False:
            return "off"
        case None | () | {}:
            return ""
        case tuple(words):
            return f"`{','.join(words)}`"
        case value:
            return f"`{value}`"
