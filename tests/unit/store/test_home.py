import os
from pathlib import Path

import pytest

from store.home import FOLDER, VARIABLE, chosen_home, find_home
from store.settings import Settings


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder three below an empty one, with the user's data elsewhere."""
    for name in ("HOME", "TRACKING_URI", "ARTIFACT_DIR", "DATABASE_URL"):
        monkeypatch.delenv(f"MAGNETCAST_{name}", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def checkout(folder: Path, text: str = '[project]\nname = "magnetcast"\n') -> None:
    (folder / "pyproject.toml").write_text(text)


def test_without_any_other_the_home_is_among_the_users_data_and_is_not_made(deep: Path) -> None:
    settings = Settings()

    assert settings.home == deep.parents[2] / "user" / "magnetcast"
    assert settings.home_source == "among the user's data"
    assert not settings.home.exists()


def test_the_nearest_folder_upwards_is_the_home(deep: Path) -> None:
    for folder in (deep.parents[2], deep.parents[0]):
        (folder / FOLDER).mkdir()
    checkout(deep.parents[1])

    settings = Settings()

    assert settings.home == deep.parents[0] / FOLDER
    assert settings.home_source == "found upwards from the current folder"


def test_a_checkout_of_magnetcast_has_its_home_in_var(deep: Path) -> None:
    (deep.parents[1] / FOLDER).mkdir()
    checkout(deep.parents[0])

    settings = Settings()

    assert settings.home == deep.parents[0] / "var"
    assert settings.home_source == "of the checkout around the current folder"


@pytest.mark.parametrize("text", ['[project]\nname = "other"\n', "no TOML ["])
def test_a_pyproject_of_another_project_makes_no_home(deep: Path, text: str) -> None:
    checkout(deep.parents[0], text)

    assert find_home().path == deep.parents[2] / "user" / "magnetcast"


def test_what_belongs_to_another_user_is_passed_over(
    deep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (deep / FOLDER).mkdir()
    checkout(deep.parents[0])
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)

    assert find_home().source == "among the user's data"


def test_the_environment_goes_before_every_folder_and_is_made_absolute(
    deep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (deep / FOLDER).mkdir()
    monkeypatch.setenv(VARIABLE, "../elsewhere")

    settings = Settings()
    monkeypatch.chdir("/")

    assert settings.home == deep.parent / "elsewhere"
    assert settings.home_source == "MAGNETCAST_HOME"


def test_the_option_goes_before_the_environment_and_reaches_child_processes(
    deep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "before")

    with chosen_home(Path("chosen")):
        inside, source, result = Settings().home, Settings().home_source, os.environ[VARIABLE]

    assert inside == deep / "chosen"
    assert source == "--home"
    assert result == str(deep / "chosen")
    assert Settings().home == deep / "before"
    assert Settings().home_source == "MAGNETCAST_HOME"


def test_a_file_is_refused_as_home(deep: Path) -> None:
    (deep / "file").write_text("")

    with pytest.raises(ValueError, match="not a folder"):
        Settings(home=deep / "file")
