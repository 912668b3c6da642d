from collections.abc import Callable
from pathlib import Path

import pytest

from store.archive.swap import swap_all, undo


def nothing() -> None:
    """Do no more."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A database with its log, a folder, and what is to replace both."""
    (tmp_path / "a.db").write_text("old")
    (tmp_path / "a.db-wal").write_text("old log")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "page").write_text("old")
    (tmp_path / ".a.new").write_text("new")
    (tmp_path / ".reports.new").mkdir()
    (tmp_path / ".reports.new" / "page").write_text("new")
    (tmp_path / ".more.new").write_text("new")
    return tmp_path


def moves(place: Path) -> dict[Path, Path | None]:
    return {
        place / "a.db": place / ".a.new",
        place / "reports": place / ".reports.new",
        place / "more": place / ".more.new",
    }


def seen(place: Path) -> dict[str, str]:
    return {
        file.relative_to(place).as_posix(): file.read_text()
        for file in place.rglob("*")
        if file.is_file() and not any(part.endswith(".new") for part in file.parts)
    }


OLD = {"a.db": "old", "a.db-wal": "old log", "reports/page": "old"}


def test_all_is_replaced_and_nothing_is_left_aside(place: Path) -> None:
    swap_all(moves(place), place / "journal", then=nothing)

    assert seen(place) == {"a.db": "new", "reports/page": "new", "more": "new"}


def test_what_fails_at_last_leaves_everything_as_it_was(place: Path) -> None:
    def fail() -> None:
        raise RuntimeError("no server")

    with pytest.raises(RuntimeError, match="no server"):
        swap_all(moves(place), place / "journal", then=fail)

    assert seen(place) == OLD


@pytest.mark.parametrize("after", range(7))
def test_a_swap_killed_after_any_move_is_undone(
    place: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    replace: Callable[[Path, Path], Path] = Path.replace
    made = 0

    def kill(self: Path, target: Path) -> Path:
        nonlocal made
        if made == after:
            raise KeyboardInterrupt
        made += 1
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", kill)
    monkeypatch.setattr("store.archive.swap.undo", lambda _: True)
    with pytest.raises(KeyboardInterrupt):
        swap_all(moves(place), place / "journal", then=nothing)
    monkeypatch.undo()

    was_begun = undo(place / "journal")

    assert was_begun == (after > 0)
    left = seen(place)
    left.pop("journal.part", None)
    assert left == OLD
    assert not undo(place / "journal")
