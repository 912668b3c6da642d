"""A key changes with every fact known, line of code and choice that enters, and with none else."""

from collections.abc import Callable

import pandas as pd
import pytest

from features.fingerprint import _SOURCES, KnownRows, code_digest, key_of, source_digest
from features.history import EvidenceHistory
from features.panel.evidence import evidence_panel
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.kept_forecasts import FACTS
from tests.data.builders import World, at, bundled_world, only_known, poisoned, revised

PANEL = "features/panel/evidence.py"
MOMENT = at("2025-04-25")
KINDS = ("observations", "events", "tariffs", "analog_events")


def keys(history: EvidenceHistory, moment: pd.Timestamp = MOMENT) -> dict[str, str]:
    return {
        "panel": history.key(moment, evidence_panel, of=["observations"]),
        "forecast": history.key(moment, EvidenceForecaster, {"rounds": 80}, of=FACTS),
    }


@pytest.mark.slow
@pytest.mark.parametrize("change", [only_known, poisoned, revised])
def test_what_becomes_known_later_changes_no_key(
    change: Callable[[World, pd.Timestamp], World],
) -> None:
    world = bundled_world()

    changed = change(world, MOMENT).unsolved()

    assert keys(changed) == keys(world.unsolved())
    assert keys(changed, MOMENT + pd.DateOffset(years=1)) != keys(
        world.unsolved(), MOMENT + pd.DateOffset(years=1)
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_change_of_any_known_value_changes_the_digest(kind: str) -> None:
    rows = getattr(bundled_world(), kind)
    known = rows.index[rows["available_at"] <= MOMENT]
    before = KnownRows(rows).digest(MOMENT)
    for column in rows.columns.drop("available_at"):
        spoiled = rows.copy()
        value = spoiled.loc[known[-1], column]
        spoiled[column] = spoiled[column].astype(object)
        spoiled.loc[known[-1], column] = "else" if pd.isna(value) else [None]
        assert KnownRows(spoiled).digest(MOMENT) != before, column
    assert KnownRows(rows.drop(known[0])).digest(MOMENT) != before
    earlier = rows.assign(available_at=rows["available_at"] - pd.Timedelta(seconds=1))
    assert KnownRows(earlier).digest(MOMENT) != before


def test_the_last_bit_of_a_number_changes_the_digest() -> None:
    rows = pd.DataFrame({"available_at": [MOMENT], "value": [0.3]})

    assert KnownRows(rows).digest(MOMENT) != KnownRows(rows.assign(value=0.1 + 0.2)).digest(MOMENT)


def test_a_panel_depends_on_no_act_and_a_forecast_on_every_kind_of_fact() -> None:
    world = bundled_world()
    before = keys(world.unsolved())
    for kind in KINDS:
        frames = {name: getattr(world, name) for name in KINDS}
        frames[kind] = frames[kind].loc[frames[kind]["available_at"] > at("2020-01-01")]
        after = keys(EvidenceHistory(**frames))
        assert after["forecast"] != before["forecast"], kind
        assert (after["panel"] == before["panel"]) == (kind != "observations"), kind


def test_a_key_depends_on_the_moment_what_computes_and_each_choice() -> None:
    history = bundled_world().unsolved()
    several = [
        history.key(MOMENT, evidence_panel, of=FACTS),
        history.key(MOMENT + pd.Timedelta(seconds=1), evidence_panel, of=FACTS),
        history.key(MOMENT, EvidenceForecaster, of=FACTS),
        history.key(MOMENT, evidence_panel, {"rounds": 80}, of=FACTS),
        history.key(MOMENT, evidence_panel, {"rounds": 81}, of=FACTS),
    ]

    assert len(set(several)) == len(several)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "enters"),
    [
        (PANEL, True),
        ("features/panel/solver.py", True),
        ("features/panel/mirror.py", True),
        ("features/months.py", True),
        ("store/asof.py", True),
        ("store/vocabulary.py", True),
        ("features/panel/__init__.py", True),
        ("features/families/trade.py", False),
        ("models/policy/response.py", False),
    ],
)
def test_code_enters_the_key_of_a_panel_where_it_takes_part(file: str, *, enters: bool) -> None:
    before = source_digest(_SOURCES, "features.panel.evidence")

    changed = source_digest(
        {**_SOURCES, file: _SOURCES[file] + b"\n# changed\n"}, "features.panel.evidence"
    )

    assert before == code_digest("features.panel.evidence")
    assert (changed != before) == enters


@pytest.mark.slow
@pytest.mark.parametrize(
    "file",
    [
        PANEL,
        "features/families/policy.py",
        "features/controls/analogs.py",
        "models/policy/response.py",
        "models/reconciliation/reconcile.py",
        "models/learning/calibration.py",
        "models/registry/served.py",
        "models/statistical/theta.py",
    ],
)
def test_all_code_of_the_model_enters_the_key_of_its_forecasts(file: str) -> None:
    name = EvidenceForecaster.__module__
    changed = {**_SOURCES, file: _SOURCES[file] + b"\n# changed\n"}

    assert source_digest(changed, name) != source_digest(_SOURCES, name)


def test_an_installed_package_names_its_modules_by_a_longer_name() -> None:
    sources = {
        "features/one.py": b"from magnetcast._internal.store import two\n",
        "store/two.py": b"def late():\n    from magnetcast._internal.store.three import x\n",
        "store/three.py": b"x = 1\n",
        "store/four.py": b"",
    }
    name = "magnetcast._internal.features.one"
    before = source_digest(sources, name)

    assert source_digest({**sources, "store/three.py": b"x = 2\n"}, name) != before
    assert source_digest({**sources, "store/four.py": b"x = 2\n"}, name) == before


def test_a_module_of_another_package_has_no_key() -> None:
    with pytest.raises(ValueError, match=r"json\.decoder is no module of"):
        code_digest("json.decoder")


def test_keys_tell_parts_apart() -> None:
    assert len({key_of("a", "b"), key_of("ab"), key_of(["a", "b"]), key_of("a", "b", None)}) == 4
