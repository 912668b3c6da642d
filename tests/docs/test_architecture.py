import ast
import re
from pathlib import Path

import pytest

from store.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "architecture.md"


def test_every_function_and_class_of_the_architecture_page_exists() -> None:
    named = re.findall(r"`([a-z_/]+\.py):(\w+)`", PAGE.read_text(encoding="utf-8"))

    assert named
    assert [f"{file}:{name}" for file, name in named if name not in _defined(file)] == []


@pytest.mark.parametrize("page", [PAGE, PAGE.with_name("glossary.md")])
def test_every_path_of_the_page_and_of_the_glossary_exists(page: Path) -> None:
    rooms = "store|sources|features|models|publication|service|flows|tests|data"
    paths = re.findall(rf"`((?:{rooms})/[\w/.]+)`", page.read_text(encoding="utf-8"))

    assert paths
    assert [path for path in paths if not (PROJECT_ROOT / path).exists()] == []


def test_every_package_is_on_the_architecture_page_and_states_what_lives_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    packages = [
        path.parent
        for room in ("store", "sources", "features", "models", "publication", "service", "flows")
        for path in sorted((PROJECT_ROOT / room).glob("*/__init__.py"))
    ]

    assert packages
    assert [one.name for one in packages if f"{one.name}/" not in text] == []
    about = {one: (one / "__init__.py").read_text(encoding="utf-8") for one in packages}
    assert [one.name for one, words in about.items() if "Not here:" not in words] == []


def _defined(file: str) -> set[str]:
    return {
        node.name
        for node in ast.parse((PROJECT_ROOT / file).read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
