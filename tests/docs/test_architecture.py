import ast
import re
from pathlib import Path

import pytest

from store.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "architecture.md"
NAMED = re.compile(r"`([a-z_/]+\.py):(\w+)`")


def test_every_function_and_class_of_the_architecture_page_exists() -> None:
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))

    missing = [f"{file}:{name}" for file, name in named if name not in _defined(file)]

    assert len(named) >= 10
    assert missing == []


@pytest.mark.parametrize(
    ("walk", "most"),
    [("customs file", 18), ("An act to", 12), ("magnetcast run", 14), ("/destinations/USA", 16)],
)
def test_a_walk_opens_few_files_that_exist(walk: str, most: int) -> None:
    paragraphs = PAGE.read_text(encoding="utf-8").split("\n\n")
    [text] = [part for part in paragraphs if part.startswith("**") and walk in part.split("(")[0]]
    files = re.findall(r"`([a-z_/.0-9]+\.(?:py|j2))`", text.split("`magnetcast scenario`")[0])

    assert len(files) == len(set(files)) == int(re.findall(r"\((\d+) files\)", text)[0]) <= most


@pytest.mark.parametrize(("page", "least"), [(PAGE, 80), (PAGE.with_name("glossary.md"), 30)])
def test_every_path_of_the_page_and_of_the_glossary_exists(page: Path, least: int) -> None:
    rooms = "store|sources|features|models|publication|service|flows|tests|data"
    paths = re.findall(rf"`((?:{rooms})/[\w/.]+)`", page.read_text(encoding="utf-8"))

    assert len(paths) >= least
    assert [path for path in paths if not (PROJECT_ROOT / path).exists()] == []


def test_every_package_is_on_the_architecture_page_and_states_what_lives_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    packages = [
        path.parent
        for room in ("store", "sources", "features", "models", "publication", "service", "flows")
        for path in sorted((PROJECT_ROOT / room).glob("*/__init__.py"))
    ]

    unnamed = [str(one.name) for one in packages if f"{one.name}/" not in text]
    silent = [
        str(one)
        for one in packages
        if "Not here:" not in (one / "__init__.py").read_text(encoding="utf-8")
    ]

    assert packages
    assert unnamed == []
    assert silent == []


def _defined(file: str) -> set[str]:
    path = PROJECT_ROOT / file
    if not path.is_file():
        return set()
    return {
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
