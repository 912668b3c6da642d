import json
from dataclasses import replace
from pathlib import Path

import pytest

from models.learning.parameters import (
    MAGNETS_PRESET,
    PANEL_PRESET,
    PRESETS,
    ModelParameters,
    parse_assignment,
    read_parameters,
    with_changes,
)
from store.errors import DataError


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_value_of_a_preset_lies_within_its_bounds(preset: ModelParameters) -> None:
    for name, value in preset.by_name.items():
        bounds = preset.bounds()[name]
        assert bounds.low <= value <= bounds.high, name
        assert bounds.meaning


def test_parameters_have_the_names_of_lightgbm() -> None:
    given = {"num_leaves": "15", "learning_rate": "1e-1", "lambda_l2": 2}
    given_numbers = {"num_leaves": 15, "learning_rate": 0.1, "lambda_l2": 2.0}

    parameters = with_changes(MAGNETS_PRESET, given, where="--set")

    assert parameters == replace(MAGNETS_PRESET, num_leaves=15, learning_rate=0.1, lambda_l2=2.0)
    assert parameters.changed == given_numbers
    assert given_numbers.items() <= parameters.boosting.items()
    assert replace(parameters, threads=8).changed == given_numbers  # of the machine


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"learning_rat": "0.1"}, "no parameter 'learning_rat'. Did you mean 'learning_rate'?"),
        ({"zzz": "1"}, "no parameter 'zzz'. Expected one of 22"),
        ({"span": "12"}, "'span' is a parameter of the model 'panel' only"),
        ({"max_bin": "8.5"}, r"max_bin=8.5 does not fit. Expected a whole number from 3 to 255"),
        ({"max_bin": True}, "max_bin=True does not fit"),
        ({"learning_rate": "nan"}, "learning_rate=nan does not fit"),
        ({"learning_rate": 7}, r"Expected a number from 0.0001 to 1 \(share\)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_parameter_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        with_changes(MAGNETS_PRESET, given, where="--set")


@pytest.mark.parametrize("text", ["learning_rate", "=3", "num_leaves="])
def test_a_text_that_sets_nothing_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"sets nothing. Expected NAME=VALUE"):
        parse_assignment(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("format = 2", "has format 2. Expected 1"),
        ('model = "panel"', "is for the model 'panel'. Expected one for 'magnets'"),
        ("num_leaves = 4", "has 'num_leaves'. Expected format, model and a table"),
        ("parameters = 4", "has parameters that are no table"),
        ("[parameters]\nnum_leaves = 1", "num_leaves=1 does not fit"),
        ("[parameters", "cannot be read"),
    ],
    ids=["format", "model", "stray", "table", "range", "toml"],
)
def test_a_wrong_parameter_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)

    with pytest.raises(DataError, match=words):
        read_parameters(path, MAGNETS_PRESET)


def test_a_parameter_file_names_its_model_and_what_is_not_at_its_default(tmp_path: Path) -> None:
    path = tmp_path / "slow.toml"
    path.write_text('format = 1\nmodel = "magnets"\n[parameters]\nnum_leaves = 7\n')
    assert read_parameters(path, MAGNETS_PRESET) == replace(MAGNETS_PRESET, num_leaves=7)

    path = tmp_path / "found.json"
    made = replace(PANEL_PRESET, learning_rate=0.06, span=36)
    content = {"format": 1, "model": "panel", "parameters": made.changed, "found": {"trials": 2}}
    path.write_text(json.dumps(content))

    assert read_parameters(path, PANEL_PRESET) == made
