"""What a process costs, read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12  # fields of /proc/PID/stat after the program's name (proc_pid_stat(5))


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory now and at its highest, in MB."""

    resident: float
    peak: float


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_SECOND


def memory(pid: int) -> Memory:
    """VmRSS and VmHWM."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if name in ("VmRSS", "VmHWM")}
    return Memory(kilobytes["VmRSS"] / 1000, kilobytes["VmHWM"] / 1000)
