"""The process that owns the programs of one control plane, or the compiler of a build; run as a script, standard library only.

It reads one JSON order a line and answers each with one line. The end of its input means that the process which started it
is gone, however it went (also by SIGKILL): then the programs end, last started first, and the folder given as argument goes.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from types import FrameType
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1  # linux/prctl.h; safe here: the signal is tied to the forking thread, and this process has only one

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_supervisor() -> None:
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Supervisor:
    """Programs by name, in the order in which they were started."""

    def __init__(self) -> None:
        self._programs: dict[str, subprocess.Popen[bytes]] = {}

    def answer(self, order: dict[str, Any]) -> int | None:
        name = order["name"]
        match order["do"]:
            case "spawn":
                return self._spawn(name, order)
            case "poll":
                return self._programs[name].poll()
            case "signal":
                os.killpg(self._programs[name].pid, order["signal"])
                return None
            case "end":
                return self._end(name, order["grace_seconds"])
            case unknown:
                raise ValueError(f"unknown order {unknown!r}")

    def end_all(self) -> None:
        for name in reversed(list(self._programs)):
            self._end(name, grace_seconds=0)

    def _spawn(self, name: str, order: dict[str, Any]) -> int:
        with open(order["log"], "ab") as log:
            program = subprocess.Popen(
                order["argv"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=order["cwd"],
                env={**os.environ, **order["env"]},
                start_new_session=True,
                preexec_fn=_die_with_supervisor,
            )
        self._programs[name] = program
        return program.pid

    def _end(self, name: str, grace_seconds: float) -> int:
        program = self._programs.pop(name)
        if program.returncode is None and grace_seconds:
            os.killpg(program.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(grace_seconds)
        if program.returncode is None:
            os.killpg(program.pid, signal.SIGKILL)
        return program.wait()


def _exit(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(1)


def main(folders: list[str]) -> None:
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGHUP, _exit)
    supervisor = Supervisor()
    try:
        for line in sys.stdin:
            try:
                answer: dict[str, Any] = {"value": supervisor.answer(json.loads(line))}
            except (OSError, KeyError, ValueError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        supervisor.end_all()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
