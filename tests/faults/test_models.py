"""The champion's files missing, changed or poisoned: checked before anything of them runs."""

import hashlib
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.checking import Watch
from tests.faults.home import Home, Service
from tests.faults.world import NEXT, publish_until

Shared = tuple[Home, Service]
Enduring = Callable[[Home, Service, str], Watch]

pytestmark = [pytest.mark.slow, pytest.mark.long]


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.mark,)


def champion_folder(home: Home) -> Path:
    (found,) = home.folder.glob("artifacts/**/MLmodel")
    return found.parent


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def remove_head(folder: Path, _: Path) -> None:
    next(folder.rglob("p50.txt")).unlink()


def change_trees(folder: Path, _: Path) -> None:
    head = next(folder.rglob("p50.txt"))
    head.write_text(head.read_text().replace("leaf_value=", "leaf_value=9", 1))


def plant_pickle(folder: Path, mark: Path) -> None:
    (folder / "python_model.pkl").write_bytes(pickle.dumps(Bomb(mark)))
    model = folder / "MLmodel"
    model.write_text(model.read_text().replace("model_code_path", "python_model"))


def plant_code(folder: Path, mark: Path) -> None:
    script = next(folder.glob("*.py"))
    script.write_text(f"open({str(mark)!r}, 'w').close()\n{script.read_text()}")


@pytest.mark.parametrize(
    ("fault", "harm", "words"),
    [
        ("a file of the champion missing", remove_head, "its files have SHA-256"),
        ("a tree of the champion changed", change_trees, "its files have SHA-256"),
        ("a pickle planted in the champion", plant_pickle, "its files have SHA-256"),
        ("code planted in the champion's script", plant_code, "its files have SHA-256"),
    ],
    ids=["missing", "changed", "pickle", "code"],
)
def test_a_model_that_is_not_what_training_stored(
    shared: Shared,
    enduring: Enduring,
    tmp_path: Path,
    *,
    fault: str,
    harm: Callable[[Path, Path], None],
    words: str,
) -> None:
    home, service = shared
    watch = enduring(home, service, fault)
    folder, mark = champion_folder(home), tmp_path / "executed"
    aside = tmp_path / "aside"
    shutil.copytree(folder, aside)
    whole = tree(folder)

    harm(folder, mark)
    output = home.call("predict", "--format", "csv", "--out", str(tmp_path / "now.csv"))
    watch.still_served()

    assert not mark.exists(), "planted code was run"
    assert output.code == 0, output.err
    assert "statistical ensemble" in (tmp_path / "now.csv").read_text()
    watch.happened(output, words, code=0)
    watch.alarm("champion", "cannot be loaded|SHA-256")
    shutil.rmtree(folder)
    shutil.copytree(aside, folder)
    assert tree(folder) == whole
    watch.healed(home.call("run"), by="lower rungs answer meanwhile; the file was put back")


def test_the_next_run_replaces_a_champion_that_is_gone(home: Home, enduring: Enduring) -> None:
    service = Service(home)
    watch = enduring(home, service, "the champion's whole folder gone before a release")
    publish_until(home.data, "2020-04")
    home.set_clock(NEXT)

    shutil.rmtree(champion_folder(home))
    output = home.call("predict", "--format", "csv", "--out", str(home.folder / "now.csv"))
    watch.still_served()

    watch.happened(output, "cannot be read", code=0)
    watch.alarm("champion", "cannot be loaded|cannot be read")
    watch.healed(home.call("run"), by="the next run trained its successor", new=NEXT)
    service.end()
