"""Imports point one way: cli -> app -> sync -> kube -> core, and runtime lies below all; libraries stay behind their doors."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import clustersync

PACKAGE = Path(clustersync.__file__).parent
OURS = PACKAGE.name

# What each part of the package may import of the package, whose own name stands for its version.
MAY_IMPORT: dict[str, set[str]] = {
    "core": {"core"},
    "runtime": {"runtime"},
    "kube": {"core", "runtime", "kube", OURS},
    "sync": {"core", "runtime", "kube", "sync"},
    "settings": {"core"},
    "metrics": {"core", "runtime", "kube", "sync", OURS},
    "probes": {"core", "runtime", "kube", "sync", OURS},
    "app": {"core", "runtime", "kube", "sync", "settings", "metrics", "probes", OURS},
    "cli": {"core", "runtime", "kube", "sync", "settings", "metrics", "probes", "app", "cli", OURS},
    "__main__": {"app", "cli"},
    "__init__": set(),
}

# Where a library may be imported. `aiohttp.web` is the server: probes answer with it.
DOORS: dict[str, set[str]] = {
    "kubernetes_asyncio": {"kube"},
    "aiohttp": {"kube"},
    "aiohttp.web": {"kube", "probes"},
    "typer": {"cli"},
    "rich": {"cli"},
    "click": {"cli"},
}

# What would make the core impure: time, I/O, chance, tasks.
IMPURE = {"asyncio", "socket", "ssl", "os", "sys", "io", "pathlib", "subprocess", "threading", "time", "random", "logging", "structlog"}


class Import(NamedTuple):
    """One imported module, or name of a module, and the file that imports it."""

    path: Path
    module: str

    @property
    def part(self) -> str:
        """The part of the package that imports."""
        return part_of(self.path)

    @property
    def imported_part(self) -> str:
        """The part of the package that is imported."""
        parts = self.module.split(".")
        return parts[1] if len(parts) > 1 and is_part(parts[1]) else OURS

    def __str__(self) -> str:
        return f"{self.path.relative_to(PACKAGE)} imports {self.module}"


def part_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def is_part(name: str) -> bool:
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()


def imports() -> Iterator[Import]:
    """Every import of the package, also those in functions and for type checkers only."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for module in imported(path, node):
                yield Import(path, module)


def imported(path: Path, node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(level=0, module=str(module), names=names):
            # `from aiohttp import web` imports aiohttp.web.
            return [f"{module}.{alias.name}" for alias in names]
        case ast.ImportFrom():
            raise AssertionError(f"{path}: relative imports hide which layer they reach into")
        case _:
            return []


IMPORTS = list(imports())


def test_every_part_of_the_package_has_its_place() -> None:
    assert {part_of(path) for path in PACKAGE.rglob("*.py")} == set(MAY_IMPORT)


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_imports_only_what_lies_below_it(part: str) -> None:
    ours = [each for each in IMPORTS if each.part == part and each.module.split(".")[0] == OURS]
    assert [str(each) for each in ours if each.imported_part not in MAY_IMPORT[part]] == []


@pytest.mark.parametrize("library", DOORS)
def test_a_library_is_imported_only_behind_its_door(library: str) -> None:
    found = [each for each in IMPORTS if f"{each.module}.".startswith(f"{library}.")]
    if library == "aiohttp":
        found = [each for each in found if not f"{each.module}.".startswith("aiohttp.web.")]
    assert [str(each) for each in found if each.part not in DOORS[library]] == []


def test_the_core_is_pure() -> None:
    assert [str(each) for each in IMPORTS if each.part == "core" and each.module.split(".")[0] in IMPURE] == []


@pytest.mark.parametrize("path", sorted((PACKAGE / "core").rglob("*.py")), ids=lambda path: path.name)
def test_the_core_asks_no_clock(path: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert {call.attr for call in calls if isinstance(call, ast.Attribute)}.isdisjoint({"now", "today", "utcnow"})


def test_the_controller_runs_where_nothing_of_the_command_line_is_installed() -> None:
    """structlog would load rich where it finds it; nothing of ours does."""
    program = (
        "import sys; sys.modules |= dict.fromkeys(('rich', 'typer', 'click')); import clustersync.app;"
        "loaded = {name.partition('.')[0] for name, module in sys.modules.items() if module};"
        "print(sorted(loaded & {'rich', 'typer', 'click'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_the_controller_does_not_load_the_command_line() -> None:
    program = "import sys, clustersync.app; print(sorted(name for name in sys.modules if name.partition('.')[0] in ('typer', 'click')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
