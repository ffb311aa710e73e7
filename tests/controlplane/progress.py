"""Runs one long command under a supervisor and shows how long it has been at it."""

import sys
import time
from pathlib import Path

from tests.controlplane.processes import Processes

LINE_SECONDS = 15.0  # where there is no terminal to redraw: enough to see life in a CI log
REDRAW_SECONDS = 1.0
POLL_SECONDS = 0.1
LOG_TAIL_LINES = 20


class CommandFailed(RuntimeError):
    """The message ends with the last lines of the command's output."""


def run(processes: Processes, label: str, argv: list[str], *, folder: Path, env: dict[str, str] | None = None) -> None:
    """Run to its end, in `folder`; raises CommandFailed. Cut short, the command ends with `processes`."""
    log = processes.folder / f"{label}.log"
    processes.spawn(label, argv, log=log, cwd=folder, env=env)
    begin = time.monotonic()
    _show(f"{label} ...")
    code = _wait(processes, label, begin)
    if code:
        _end_line()
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        raise CommandFailed(f"{label} failed with code {code}; its output ends with:\n{tail}")
    _show(f"{label} done in {time.monotonic() - begin:.0f} s")
    _end_line()


def _wait(processes: Processes, label: str, begin: float) -> int:
    pause = REDRAW_SECONDS if sys.stdout.isatty() else LINE_SECONDS
    shown = begin
    while (code := processes.exit_code(label)) is None:
        time.sleep(POLL_SECONDS)
        now = time.monotonic()
        if now - shown >= pause:
            shown = now
            _show(f"{label} ... {now - begin:.0f} s")
    return code


def _show(text: str) -> None:
    if sys.stdout.isatty():
        print(f"\r\033[K  {text}", end="", flush=True)
    else:
        print(f"  {text}", flush=True)


def _end_line() -> None:
    if sys.stdout.isatty():
        print(flush=True)
