"""Programs that cannot outlive this process: they belong to a supervisor that ends them as soon as its input ends.

A parent-death signal alone would not do: it follows the thread that forked, and clusters are started from worker threads.
"""

import json
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SUPERVISOR = Path(__file__).with_name("supervisor.py")
CLOSE_SECONDS = 30.0  # a SIGKILLed program is gone in milliseconds; this only bounds a stuck disk


class SupervisorError(RuntimeError):
    """The supervisor is gone or could not do what it was asked to."""


class Processes:
    """Handle of one supervisor. Safe to use from several threads."""

    def __init__(self, folder: Path, *, keep: bool) -> None:
        """What the programs write lies in `folder`; unless kept, it goes when they do, also after a crash of this process."""
        self.folder = folder
        self._keep = keep
        self._lock = threading.Lock()
        # Isolated and without site-packages: it starts in 15 ms. Its own session: Ctrl-C in the terminal reaches only us.
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SUPERVISOR), *([] if keep else [str(folder)])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def supervisor_pid(self) -> int:
        return self._supervisor.pid

    def spawn(self, name: str, argv: list[str], *, log: Path, cwd: Path, env: dict[str, str] | None = None) -> int:
        """Start a program in its own process group and return its pid; `env` is added to the environment."""
        order = {"do": "spawn", "argv": argv, "log": str(log), "cwd": str(cwd), "env": env or {}}
        pid = self._ask(name, order)
        assert pid is not None
        return pid

    def exit_code(self, name: str) -> int | None:
        """None while the program runs."""
        return self._ask(name, {"do": "poll"})

    def signal(self, name: str, signum: signal.Signals) -> None:
        self._ask(name, {"do": "signal", "signal": int(signum)})

    def end(self, name: str, *, grace_seconds: float = 0.0) -> None:
        """End a program and wait for it: by SIGTERM if it may have time for that, then by SIGKILL."""
        self._ask(name, {"do": "end", "grace_seconds": grace_seconds})

    def close(self) -> None:
        """End all programs, last started first, and the supervisor; may be called twice."""
        stdin, stdout = self._supervisor.stdin, self._supervisor.stdout
        assert stdin is not None
        assert stdout is not None
        with self._lock, suppress(BrokenPipeError):  # it was killed while an order lay in the pipe
            stdin.close()
        try:
            self._supervisor.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        stdout.close()
        if not self._keep:  # nothing is there any more, unless the supervisor was killed
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _ask(self, name: str, order: dict[str, Any]) -> int | None:
        stdin, stdout = self._supervisor.stdin, self._supervisor.stdout
        assert stdin is not None
        assert stdout is not None
        with self._lock:
            if stdin.closed:
                raise SupervisorError(f"{name}: already torn down")
            try:
                stdin.write(json.dumps({"name": name, **order}) + "\n")
                stdin.flush()
                line = stdout.readline()
            except BrokenPipeError:
                line = ""
        if not line:
            raise SupervisorError(f"{name}: the supervisor (pid {self.supervisor_pid}) has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise SupervisorError(f"{name}: {answer['error']}")
        value: int | None = answer["value"]
        return value
