"""The page on architecture leads to places that exist: every file and every function that it names is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "controller/clustersync"
PAGES = [ROOT / "docs/architecture.md", *sorted((ROOT / "docs/decisions").glob("*.md"))]

FILE = re.compile(r"`((?:\w+/)*\w+\.py)`")
METHOD = re.compile(r"`([A-Z]\w+)\.(\w+)`")


def _methods() -> set[tuple[str, str]]:
    trees = [ast.parse(file.read_text()) for file in PACKAGE.rglob("*.py")]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return {(each.name, name) for each in classes for part in each.body for name in _names(part)}


def _names(part: ast.stmt) -> list[str]:
    match part:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_named_exists(page: Path) -> None:
    missing = [name for name in FILE.findall(page.read_text()) if not (PACKAGE / name).exists() and not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_method_named_exists(page: Path) -> None:
    methods = _methods()
    assert [f"{owner}.{name}" for owner, name in METHOD.findall(page.read_text()) if (owner, name) not in methods] == []


def test_the_page_names_its_places() -> None:
    text = PAGES[0].read_text()
    assert len(FILE.findall(text)) > 20
    assert len(METHOD.findall(text)) > 15
