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


def checkout(folder: Path, name: str = "magnetcast") -> None:
    (folder / "pyproject.toml").write_text(name if " " in name else PROJECT.format(name))


PROJECT = '[project]\nname = "{}"\n'
USERS, FOUND = "among the user's data", "found upwards from the current folder"


@pytest.mark.parametrize(
    ("folders", "project", "home", "source"),
    [
        ((), None, "user/magnetcast", USERS),
        ((FOLDER, f"a/b/{FOLDER}"), ("a", "magnetcast"), f"a/b/{FOLDER}", FOUND),
        (
            (f"a/{FOLDER}",),
            ("a/b", "magnetcast"),
            "a/b/var",
            "of the checkout around the current folder",
        ),
        ((), ("a/b", "other"), "user/magnetcast", USERS),
        ((), ("a/b", "no TOML ["), "user/magnetcast", USERS),
    ],
    ids=["none", "nearest folder", "checkout", "another project", "no TOML"],
)
def test_the_home_is_the_nearest_folder_upwards_or_a_checkouts_or_among_the_users_data(
    deep: Path, folders: tuple[str, ...], project: tuple[str, str] | None, home: str, source: str
) -> None:
    top = deep.parents[2]
    for folder in folders:
        (top / folder).mkdir()
    if project is not None:
        checkout(top / project[0], project[1])

    settings = Settings()

    assert (settings.home, settings.home_source) == (top / home, source)
    assert settings.home.exists() == (home == f"a/b/{FOLDER}")


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
