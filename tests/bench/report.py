"""The bench's result for people and programs: a table on a terminal, plain lines elsewhere, Markdown, JSON."""

import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from os import cpu_count
from pathlib import Path

import orjson

from tests.bench.figures import Figure, Result

HEADINGS = ("namespaces", "work", "ratio", "range", "controller", "bare writer", "goal")


def show(results: Sequence[Result]) -> None:
    """Print all results."""
    if sys.stdout.isatty():
        _show_table(results)
    else:
        rows = [HEADINGS, *_rows(results)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def write_json(path: Path, results: Sequence[Result]) -> None:
    """Write everything, each pair's ratio included."""
    document = {"machine": machine(), "results": [asdict(result) for result in results]}
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def write_markdown(path: Path, results: Sequence[Result]) -> None:
    """Write a table for the documentation."""
    lines = [f"Machine: {machine()}.", "", _line(HEADINGS), _line("---" for _ in HEADINGS), *map(_line, _rows(results))]
    path.write_text("\n".join(lines) + "\n")


def machine() -> str:
    """Say what the figures were taken on."""
    models = (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{cpu_count()} cores {next(models, platform.machine())}, {platform.system()} {platform.release()}, {python}"


def _rows(results: Iterable[Result]) -> list[tuple[str, ...]]:
    return [(str(result.namespaces), *_row(figure)) for result in results for figure in result.ratios_first]


def _row(figure: Figure) -> tuple[str, ...]:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}x"
    spread = f"{min(figure.ratios):.2f}-{max(figure.ratios):.2f}" if len(figure.ratios) > 1 else ""
    bare = "" if figure.bare is None else _amount(figure.bare, figure.unit)
    return figure.work, ratio, spread, _amount(figure.value, figure.unit), bare, figure.goal


def _amount(value: float, unit: str) -> str:
    number = f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.3g}"
    return f"{number} {unit}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _show_table(results: Sequence[Result]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"ClusterSync beside a bare writer: {machine()}")
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in ("namespaces", "ratio", "range") else "left")
    for row in _rows(results):
        table.add_row(*row)
    Console().print(table)
