import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from store.settings import PROJECT_ROOT
from tests.flows.conftest import LATER, Published, copied, environment

pytestmark = pytest.mark.slow

ROOMS = ("store", "sources", "features", "models", "service", "flows")
CODE = """
import sys
import magnetcast as mc

made = mc.forecast(sys.argv[1], destinations=["USA"])
made.to_json(sys.argv[2], orient="records", double_precision=15)
assert not [name for name in sys.modules if name.split(".")[0] in set(sys.argv[3].split(","))]
import models, features, flows, store
assert models.__doc__ == features.__doc__ == flows.__doc__ == store.__doc__ == "Of others."
"""


PLAIN = """
import sys
from importlib.metadata import distribution
from packaging.requirements import Requirement

mine = [Requirement(text) for text in distribution("magnetcast").requires]
ops = {one.name for one in mine if one.marker and one.marker.evaluate({"extra": "ops"})}
plain = {one.name for one in mine if "extra" not in str(one.marker)}
assert {"mlflow", "prefect", "starlette", "pyarrow"} <= ops
assert {"lightgbm", "numpy", "pandas", "scikit-learn", "scipy"} <= plain
assert plain.isdisjoint(ops | {"dask", "pytest"}), plain
extras = distribution("magnetcast").metadata.get_all("Provides-Extra")
assert sorted(extras) == ["dask", "dev", "ops"], extras
sys.modules.update(dict.fromkeys(ops))
import magnetcast as mc
import pandas as pd

sales = pd.DataFrame({"unique_id": 1, "ds": pd.date_range("2019-01-01", "2023-12-01", freq="MS")})
assert len(mc.Forecaster().fit(sales.assign(y=range(60))).predict(2)) == 2
assert len(mc.panel(sys.argv[1]))
try:
    mc.forecast
except mc.DataError as err:
    assert "magnetcast[ops]" in str(err)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    ran([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)])
    [found] = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the commands of a fresh environment."""
    place = tmp_path_factory.mktemp("fresh") / "venv"
    uv = shutil.which("uv") or str(PROJECT_ROOT / ".uv" / "bin" / "uv")
    ran([uv, "venv", "--quiet", "--offline", "--python", sys.executable, str(place)])
    [packages] = place.glob("lib/python*/site-packages")
    for room in ROOMS:
        (packages / room).mkdir()
        (packages / room / "__init__.py").write_text('"""Of others."""\n', encoding="utf-8")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    words = ["--quiet", "--offline", "--no-deps", "--no-index"]
    ran([uv, "pip", "install", *words, "--python", str(place / "bin" / "python"), str(wheel)])
    return place / "bin"


def ran(
    words: list[str], *, cwd: Path = PROJECT_ROOT, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(  # noqa: S603 - our own words
        words, cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


def test_the_wheel_holds_one_package_and_what_it_reads(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    inside = "magnetcast/_internal"
    assert {name.split("/")[0] for name in names} == {"magnetcast", "magnetcast-0.2.0.dist-info"}
    assert f"{inside}/data/published_figures.csv" in names
    assert f"{inside}/scenarios/us-tariff-60.yaml" in names
    for room, kinds in (("service", ("html", "css")), ("sources", ("yaml",)), ("store", ("py",))):
        for path in (path for kind in kinds for path in (PROJECT_ROOT / room).rglob(f"*.{kind}")):
            assert f"{inside}/{path.relative_to(PROJECT_ROOT)}" in names


def test_beside_packages_of_the_same_names_it_forecasts(
    installed: Path, second_run: Published, data_dir: Path, tmp_path: Path
) -> None:
    there = copied(second_run, tmp_path / "place", data_dir)
    variables = {
        name: os.environ[name] for name in os.environ if name not in {"PYTHONPATH", "VIRTUAL_ENV"}
    }
    own = {**variables, **environment(there.folder, data_dir)}
    own["PREFECT_HOME"] = str(tmp_path / "prefect")
    (tmp_path / "code.py").write_text(CODE, encoding="utf-8")

    python, command = str(installed / "python"), str(installed / "magnetcast")
    ran([python, "-c", PLAIN, LATER], cwd=tmp_path, env=own)
    ran([python, "code.py", LATER, "api.json", ",".join(ROOMS)], cwd=tmp_path, env=own)
    words = ["forecast", "--as-of", LATER, "--format", "json", "--out", "command.json"]
    ran([command, *words], cwd=tmp_path, env=own)

    published = there.outcome.forecasts
    expected = published.loc[published["destination"] == "USA", "p50"]
    api, table = (pd.read_json(tmp_path / f"{name}.json") for name in ("api", "command"))
    assert len(expected)
    np.testing.assert_allclose(api["p50"], expected, rtol=1e-12)
    np.testing.assert_allclose(
        table.loc[table["destination"] == "USA", "p50"], expected, rtol=0, atol=0.001
    )
