"""The controller as its own process, as in a cluster: started with `clustersync run`, watched through its probes, ended by signals."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.harness.eventually import eventually

PROGRAM = Path(sys.executable).with_name("clustersync")


PR_SET_PDEATHSIG = 1  # linux/prctl.h; tied to the thread that starts the process: tests, demo and bench do so in their main one

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """A run that was killed leaves no controller behind."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class ControllerProcess:
    """One controller. Started in its own session; its log is one file, appended to over restarts."""

    def __init__(self, kubeconfig: Path, log: Path, *options: str, environ: dict[str, str] | None = None) -> None:
        """Clusters of tests have loopback addresses, which it may reach unless `options` say otherwise."""
        self._arguments = [str(PROGRAM), "run", "--kubeconfig", str(kubeconfig), "--allow-loopback-clusters", *options]
        self._environ = {key: value for key, value in os.environ.items() if not key.startswith("CLUSTERSYNC_")} | (environ or {})
        self.log = log
        self.address = f"127.0.0.1:{_free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id; AssertionError when it does not run."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait_ready: bool = True) -> None:
        """Start the process and wait until it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._arguments, "--metrics-address", self.address],
                stdout=log,
                stderr=log,
                env=self._environ,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        if wait_ready:
            try:
                eventually(self.is_ready, describe=self.tail)
            except BaseException:
                self.kill()
                raise

    def stop(self, *, seconds: float = 10.0) -> int:
        """Ask the process to end, and return its exit code."""
        return self.end(signal.SIGTERM, seconds)

    def kill(self) -> int:
        """End the process without a word, and return its exit code."""
        return self.end(signal.SIGKILL, 10.0)

    def end(self, number: signal.Signals, seconds: float = 10.0) -> int:
        """Send a signal that ends the process, by force after that time, and return its exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(seconds)
        code, self._process = self._process.returncode, None
        return code

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def is_ready(self) -> bool:
        """Whether /readyz answers 200."""
        return self.probe("/readyz") == 200

    def probe(self, path: str) -> int:
        """Return the status of one of the controller's own paths, 0 for no answer."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def metrics(self) -> dict[str, float]:
        """Return all samples, keyed as they are written: name and labels."""
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line and not line.startswith("#"))}

    def logged(self) -> list[dict[str, Any]]:
        """Return the log, line by line; lines that are not JSON come under the key `text`."""
        return [_parsed(line) for line in self.log.read_text().splitlines()]

    def tail(self) -> str:
        """Return the end of the log, for messages."""
        return "\n" + "\n".join(self.log.read_text().splitlines()[-15:])


def _parsed(line: str) -> dict[str, Any]:
    try:
        parsed: dict[str, Any] = json.loads(line)
    except ValueError:
        return {"text": line}
    return parsed


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
