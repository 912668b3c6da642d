import json
import shutil
from pathlib import Path

import pytest

from store.settings import Settings
from tests.flows.conftest import Call

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("home")
def test_a_site_for_another_host_goes_to_an_empty_folder_alone(
    magnetcast: Call, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    code, _, message = magnetcast("site", "--out", str(out), "--base-url", "https://m.example.org/")
    again = magnetcast("site", "--out", str(out))

    assert code == 0, message
    index = json.loads((out / "api/v1/index.json").read_text(encoding="utf-8"))
    assert index["base_url"] == "https://m.example.org"
    assert 'href="https://m.example.org/' in (out / "feed.atom").read_text(encoding="utf-8")
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in (out, *out.rglob("*")))
    assert (again[0], f"{out} is not empty" in again[2]) == (1, True)


def test_a_folder_that_is_gone_is_written_later_from_the_database_and_says_so(
    home: Settings, magnetcast: Call
) -> None:
    folder = home.publications_dir / "85051110" / "1"
    before = (folder / "forecasts.csv").read_bytes()
    shutil.rmtree(home.publications_dir)

    assert magnetcast("site")[0] == 0

    assert (folder / "forecasts.csv").read_bytes() == before
    assert magnetcast("publications", "verify")[0] == 0
    assert (home.home / "site/publications/85051110/1/index.html").is_file()
