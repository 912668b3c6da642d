"""The champion's files missing, changed or poisoned: checked before anything of them runs."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.checking import Watch
from tests.faults.home import Home

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


@pytest.mark.parametrize("harm", [remove_head, change_trees, plant_pickle, plant_code])
def test_a_model_that_is_not_what_training_stored(
    watch: Watch, tmp_path: Path, harm: Callable[[Path, Path], None]
) -> None:
    home = watch.home
    folder, mark, aside = champion_folder(home), tmp_path / "executed", tmp_path / "aside"
    shutil.copytree(folder, aside)

    harm(folder, mark)
    output = home.call("predict", "--format", "csv", "--out", str(tmp_path / "now.csv"))
    watch.still_served()

    assert not mark.exists(), "planted code was run"
    assert "statistical ensemble" in (tmp_path / "now.csv").read_text()
    watch.happened(output, "its files have SHA-256", code=0)
    watch.alarm("champion", "cannot be loaded|SHA-256")
    shutil.rmtree(folder)
    shutil.copytree(aside, folder)
    watch.healed(home.call("run"))
