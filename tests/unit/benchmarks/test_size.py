from pathlib import Path

import pytest

from benchmarks import size
from benchmarks.size import MOST_MODULES, PRODUCT, Module, modules_below


@pytest.fixture(scope="module")
def product() -> list[Module]:
    return modules_below(*PRODUCT)


def test_no_folder_holds_more_modules_than_one_can_see(product: list[Module]) -> None:
    full = {name: n for name, n in size.folder_sizes(product).items() if n > MOST_MODULES}

    assert full == {}


def test_no_module_is_too_long(product: list[Module]) -> None:
    assert size.long_modules(product) == {}


@pytest.mark.slow
def test_no_class_name_is_used_for_two_things(product: list[Module]) -> None:
    assert size.repeated_classes(product) == {}


def made(path: str, *lines: str) -> Module:
    return Module(Path(path), "".join(f"{line}\n" for line in lines))


def test_what_is_counted_is_what_is_there() -> None:
    modules = [
        made("a/one.py", "class Both:", "    def stand(self) -> str:", "        return 'Says'"),
        made("a/two.py", "class Both: ...", "class Own: ...", *["# told"] * 299),
        made("a/__init__.py", '"""Outstanding."""'),
    ]

    assert size.folder_sizes(modules) == {"a": 2}
    assert size.long_modules(modules) == {"a/two.py": 301}
    assert size.repeated_classes(modules) == {"Both": 2}
    assert size.function_lengths(modules) == [2]
    assert size.dialect_words(modules) == {"stand": 1, "says": 1, "told": 299}
