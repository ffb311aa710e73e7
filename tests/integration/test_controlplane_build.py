"""Where the control planes come from: what is half-made is not used, an interrupted build leaves nothing, two do not meet.

A stand-in takes the place of the Go compiler, whose seven minutes are no matter here.
"""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.controlplane.binaries import RECORD, BinariesError, cache_entry, find_or_build, is_complete
from tests.controlplane.build import PACKAGES
from tests.controlplane.exits import parent_of, still_running, watch

REPOSITORY = Path(__file__).parents[2]
DEADLINE_SECONDS = 20.0

# Tells its pid, waits for a line to go on, and writes the program.
COMPILER = """#!/bin/sh
if [ "$1" = version ]; then echo "go version go1.99.0 linux/amd64"; exit; fi
echo $$ > "$STAND_IN/started"
read -r _ < "$STAND_IN/gate"
while [ "$1" != -o ]; do shift; done
echo compiled > "$2"
"""


class Compiler:
    """Steers the stand-in by two named pipes."""

    def __init__(self, folder: Path) -> None:
        for pipe in ("started", "gate"):
            os.mkfifo(folder / pipe)
        # Open for both directions: neither side ever waits for the other to open its end.
        self._started = os.fdopen(os.open(folder / "started", os.O_RDWR), "rb", buffering=0)
        self._gate = os.fdopen(os.open(folder / "gate", os.O_RDWR), "wb", buffering=0)

    def wait_for_start(self) -> int:
        assert select.select([self._started], [], [], DEADLINE_SECONDS)[0], "the compiler was not started"
        return int(self._started.readline())

    def let_pass(self, builds: int) -> None:
        self._gate.write(b"\n" * builds)

    def was_started_again(self) -> bool:
        return bool(select.select([self._started], [], [], 0)[0])

    def close(self) -> None:
        self._started.close()
        self._gate.close()


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Compiler]:
    """The only Go on PATH, and a cache of its own."""
    folder = tmp_path / "stand-in"
    folder.mkdir()
    (folder / "go").write_text(COMPILER)
    (folder / "go").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("STAND_IN", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CLUSTERSYNC_CONTROLPLANE", raising=False)
    compiler = Compiler(folder)
    yield compiler
    compiler.close()


def build() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.controlplane", "build"]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True)


def read_until(output: IO[str] | None, words: str) -> None:
    assert output is not None
    assert any(words in line for line in output), f"it never said {words!r}"


def lose_a_program(entry: Path) -> None:
    (entry / "kubectl").unlink()


def cut_a_program_short(entry: Path) -> None:
    (entry / "kubectl").write_bytes(b"")


def lose_the_record(entry: Path) -> None:
    (entry / RECORD).unlink()


def cut_the_record_short(entry: Path) -> None:
    (entry / RECORD).write_text('{"etcd": ')


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lose_a_program, id="a program is missing"),
        pytest.param(cut_a_program_short, id="a program is cut short"),
        pytest.param(lose_the_record, id="nothing says that the build ended"),
        pytest.param(cut_the_record_short, id="the record is cut short"),
    ],
)
def test_a_half_made_entry_is_built_anew(compiler: Compiler, damage: Callable[[Path], None]) -> None:
    compiler.let_pass(2 * len(PACKAGES))
    find_or_build()
    damage(cache_entry())
    assert find_or_build().kubectl.read_text() == "compiled\n"
    assert is_complete(cache_entry())
    assert sorted(path.name for path in cache_entry().parent.iterdir()) == sorted([cache_entry().name, "lock"])


def test_a_complete_entry_is_used_as_it_is(compiler: Compiler) -> None:
    compiler.let_pass(len(PACKAGES))
    built = find_or_build()
    for _ in PACKAGES:
        compiler.wait_for_start()
    assert find_or_build() == built
    assert not compiler.was_started_again()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["interrupted with Ctrl-C", "terminated", "killed"])
def test_nothing_is_left_of_a_build_that_was(how: signal.Signals, compiler: Compiler) -> None:
    with build() as run:
        compiling = compiler.wait_for_start()
        with watch([compiling, parent_of(compiling)]) as processes:
            os.killpg(run.pid, how)
            assert still_running(processes, DEADLINE_SECONDS) == []
    assert run.returncode != 0
    assert [path.name for path in cache_entry().parent.iterdir()] == ["lock"]


def test_a_second_build_waits_and_finds_what_the_first_made(compiler: Compiler) -> None:
    with build() as first:
        compiler.wait_for_start()
        with build() as second:
            read_until(second.stdout, "Another run is building")
            compiler.let_pass(len(PACKAGES))
            read_until(second.stdout, str(cache_entry()))
    assert (first.returncode, second.returncode) == (0, 0)
    for _ in list(PACKAGES)[1:]:
        compiler.wait_for_start()
    assert not compiler.was_started_again()


def test_a_named_folder_that_lacks_programs_is_refused_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("etcd", "kube-apiserver"):
        (tmp_path / program).write_text("")
        (tmp_path / program).chmod(0o755)
    (tmp_path / "kubectl").write_text("not executable")
    monkeypatch.setenv("CLUSTERSYNC_CONTROLPLANE", str(tmp_path))
    with pytest.raises(BinariesError, match=r"holds no executable kube-controller-manager, kubectl$"):
        find_or_build()
