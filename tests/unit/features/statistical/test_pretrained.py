"""The pretrained network: refused where it is missing, never loaded unasked, honest where it is."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.statistical.pretrained import LEAST_VALUES, NAME, medians, notice
from models.learning.parameters import PANEL_PRESET
from store.errors import DataError
from tests.data.engine_builders import BRIEF, make_engine, make_values, said_of

ASKED = replace(BRIEF, pairs=200, pretrained=1)


def test_without_the_package_the_message_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "fracast", None)

    with pytest.raises(DataError, match=r"pretrained=1 .* Install magnetcast\[pretrained\]"):
        notice()


def test_other_weights_than_those_recorded_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("fracast", "torch"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        monkeypatch.delitem(sys.modules, name, raising=False)
    weights, about = tmp_path / "fracast" / "weights", tmp_path / "fracast-9.9.dist-info"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"others")
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.4\nName: fracast\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(DataError, match=r"of fracast 9\.9 are 01db91d0.* Expected 0d678f12"):
        notice()


def test_it_changes_the_digest_of_the_choices() -> None:
    assert replace(PANEL_PRESET, pretrained=1).digest != PANEL_PRESET.digest


UNASKED = """
import sys
from tests.data.engine_builders import BRIEF, make_engine, make_values, said_of
from dataclasses import replace

said_of(make_engine(make_values(series=6)))
assert not {"torch", "fracast"} & set(sys.modules)
said_of(make_engine(make_values(series=6), spec=replace(BRIEF, pairs=60, pretrained=1)))
assert {"torch", "fracast"} <= set(sys.modules)
assert "huggingface_hub" not in sys.modules
"""


@pytest.mark.slow
def test_it_is_loaded_when_asked_only_and_asks_no_hub() -> None:
    pytest.importorskip("fracast")

    subprocess.run([sys.executable, "-c", UNASKED], check=True)  # noqa: S603


class TestNetwork:
    @pytest.fixture(autouse=True)
    def package(self) -> None:
        pytest.importorskip("fracast")

    def test_each_series_is_forecast_on_its_own_and_alike_again(self) -> None:
        values = make_values(series=5)
        values[2, 10:20] = np.nan

        found = medians(values, 6)

        assert np.isfinite(found).all()
        np.testing.assert_array_equal(medians(values, 6), found)
        np.testing.assert_array_equal(medians(values[[3]], 6), found[[3]])

    def test_a_series_too_short_for_it_has_no_forecast(self) -> None:
        values = make_values(series=2)
        values[0, :-LEAST_VALUES] = np.nan
        values[1, : 1 - LEAST_VALUES] = np.nan

        found = medians(values, 3)

        assert np.isfinite(found[0]).all()
        assert np.isnan(found[1]).all()


class TestEngine:
    @pytest.fixture(autouse=True)
    def package(self) -> None:
        pytest.importorskip("fracast")

    def test_it_moves_the_forecast(self) -> None:
        values = make_values(series=30)

        plain, engine = (
            make_engine(values),
            make_engine(values, parameters=replace(ASKED, pairs=400)),
        )

        found = said_of(engine)
        assert np.isfinite(found.tonnes).all()
        assert (found.tonnes != said_of(plain).tonnes).any()

    def test_months_after_the_cutoff_change_nothing(self) -> None:
        values = make_values(series=12)
        poisoned = np.where(np.arange(60) > 50, 1e9, values)

        honest, other = (
            said_of(make_engine(one, last=50, parameters=ASKED)) for one in (values, poisoned)
        )

        np.testing.assert_array_equal(honest.base_forecasts[NAME], other.base_forecasts[NAME])
        np.testing.assert_array_equal(honest.tonnes, other.tonnes)
