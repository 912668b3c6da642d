from pathlib import Path

from benchmarks import size
from benchmarks.size import Module


def made(path: str, *lines: str) -> Module:
    return Module(Path(path), "".join(f"{line}\n" for line in lines))


def test_what_is_counted_is_what_is_there() -> None:
    modules = [
        made("a/one.py", "BAND = 0.8", "class Both:", "    def stand(self) -> str:", "        ..."),
        made("a/two.py", "BAND: float = 1.28", "_BAND = 1", "# told"),
    ]

    assert size.repeated(name for one in modules for name in one.public_constants()) == {"BAND": 2}
    assert size.function_lengths(modules) == [2]
    assert size.dialect_words(modules) == {"told": 1}


def test_names_that_say_nothing_are_counted_where_they_are_bound() -> None:
    module = made("a/one.py", "def total(found, rows):", "    own = [one for one in rows]", "own")

    assert size.vague_names([module]) == {"found": 1, "own": 1, "one": 1}
