import json
from pathlib import Path

import pytest

from models.learning.spec import (
    ALIASES,
    MODELS,
    EngineSpec,
    ModelSpec,
    Spec,
    parameters_of,
    read_recipe,
    with_parameters,
)
from store.errors import DataError


@pytest.mark.parametrize("kind", MODELS.values(), ids=MODELS)
def test_every_default_lies_within_its_bounds(kind: type[Spec]) -> None:
    for name, value in kind().choices.items():
        bounds = kind.bounds()[name]
        assert bounds.low <= value <= bounds.high, name
        assert bounds.meaning


def test_no_alias_is_a_name_of_our_own_and_each_means_a_parameter() -> None:
    own = {name for kind in MODELS.values() for name in kind.bounds()}

    assert not set(ALIASES) & own
    assert set(ALIASES.values()) <= own


def test_names_of_lightgbm_set_our_parameters() -> None:
    given = {"num_leaves": "15", "learning_rate": "1e-1", "lambda_l2": 2}

    spec = with_parameters(ModelSpec(), given, where="--set")

    assert spec == ModelSpec(leaves=15, learning_rate=0.1, l2=2.0)
    assert spec.digest == ModelSpec(leaves=15, learning_rate=0.1, l2=2.0).digest
    assert spec.changed == {"leaves": 15, "learning_rate": 0.1, "l2": 2.0}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"learning_rat": "0.1"}, "no parameter 'learning_rat'. Did you mean 'learning_rate'?"),
        ({"zzz": "1"}, "no parameter 'zzz'. Expected one of 20"),
        ({"ridge": "1"}, "'ridge' is a parameter of the model 'panel' only"),
        ({"num_leaves": "4", "leaves": "5"}, "is leaves, which is set twice"),
        ({"rounds": "8.5"}, r"rounds=8.5 does not fit. Expected a whole number from 1 to 5000"),
        ({"rounds": "many"}, "rounds=many does not fit"),
        ({"rounds": True}, "rounds=True does not fit"),
        ({"learning_rate": "nan"}, "learning_rate=nan does not fit"),
        ({"learning_rate": 7}, r"Expected a number from 0.0001 to 1 \(share\)"),
        ({"learning_rate": [0.1]}, "does not fit"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_parameter_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        with_parameters(ModelSpec(), given, where="--set")


@pytest.mark.parametrize("text", ["learning_rate", "=3", "leaves="])
def test_a_text_that_sets_nothing_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"sets nothing. Expected NAME=VALUE"):
        parameters_of(text)


def test_a_recipe_file_names_what_is_not_at_its_default(tmp_path: Path) -> None:
    path = tmp_path / "slow.toml"
    path.write_text('format = 1\nmodel = "magnets"\n[parameters]\nnum_leaves = 7\n')

    assert read_recipe(path, ModelSpec) == (ModelSpec(leaves=7), ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("format = 2", "has format 2. Expected 1"),
        ('model = "panel"', "is for the model 'panel'. Expected one for 'magnets'"),
        ("leaves = 4", "has 'leaves'. Expected format, model and a table"),
        ("parameters = 4", "has parameters that are no table"),
        ("[parameters]\nleaves = 1", "leaves=1 does not fit"),
        ("[parameters", "cannot be read"),
    ],
    ids=["format", "model", "stray", "table", "range", "toml"],
)
def test_a_wrong_recipe_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)

    with pytest.raises(DataError, match=words):
        read_recipe(path, ModelSpec)


def found_file(folder: Path, made: EngineSpec, **changes: object) -> Path:
    choices = {name: value for name, value in made.choices.items() if name != "threads"}
    content = {"format": 1, "model": "panel", "spec": choices, "digest": made.digest, **changes}
    path = folder / "found.json"
    path.write_text(json.dumps(content))
    return path


def test_what_a_search_found_is_taken_whole_by_the_engine_and_in_part_by_the_magnets(
    tmp_path: Path,
) -> None:
    path = found_file(tmp_path, EngineSpec(learning_rate=0.06, ridge=500.0))

    assert read_recipe(path, EngineSpec) == (EngineSpec(learning_rate=0.06, ridge=500.0), ())
    assert read_recipe(path, ModelSpec) == (ModelSpec(learning_rate=0.06), ("ridge",))


def test_what_was_found_before_a_choice_was_added_is_still_taken(tmp_path: Path) -> None:
    made = EngineSpec(learning_rate=0.06)
    before = {name: one for name, one in made.choices.items() if name not in made.added}
    del before["threads"]

    assert read_recipe(found_file(tmp_path, made, spec=before), EngineSpec) == (made, ())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"digest": "00000000"}, "changed by hand or by another version"),
        ({"spec": {"leaves": 4}}, "found by another version, whose parameters are others"),
        ({"format": 9}, "has format 9"),
    ],
    ids=["digest", "parameters", "format"],
)
def test_what_another_version_found_is_refused(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    path = found_file(tmp_path, EngineSpec(), **changes)

    with pytest.raises(DataError, match=words):
        read_recipe(path, EngineSpec)
