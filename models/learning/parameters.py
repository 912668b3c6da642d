"""Parameters of the models: presets, bounds and files."""

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from store.errors import DataError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Range, unit and meaning of a parameter, and the one model that reads it."""

    low: float
    high: float
    unit: str
    meaning: str
    model: str = ""
    """Empty where both do."""


OF_MAGNETS: Final = "magnets"
OF_PANELS: Final = "panel"
"""Names of the models: of the evidence panel, and of partner tables and panel files."""


def _bounded(default: T, span: tuple[float, float], unit: str, meaning: str, model: str = "") -> T:
    return field(default=default, metadata={"bounds": Bounds(*span, unit, meaning, model)})


@dataclass(frozen=True, slots=True)
class ModelParameters:
    """Parameters of a model; ``MAGNETS_PRESET`` and ``PANEL_PRESET`` differ in values alone.

    Source: docs/adr/0002-direct-global-model.md, docs/adr/0005-panel-engine.md.
    """

    model: str = OF_PANELS
    num_iterations: int = _bounded(40, (1, 5_000), "trees", "trees of each quantile model")
    learning_rate: float = _bounded(0.1, (1e-4, 1), "share", "step of each tree")
    num_leaves: int = _bounded(15, (2, 1_024), "leaves", "leaves of a tree, at most")
    min_data_in_leaf: int = _bounded(100, (1, 100_000), "rows", "rows in a leaf, at least")
    lambda_l2: float = _bounded(1.0, (0, 1e6), "", "pull of the leaves towards zero")
    feature_fraction: float = _bounded(0.3, (0.01, 1), "share", "features that a tree may use")
    bagging_fraction: float = _bounded(0.7, (0.01, 1), "share", "rows that a tree may use")
    max_bin: int = _bounded(63, (3, 255), "bins", "bins of a feature, at most")
    smoothing: float = _bounded(
        0.0, (0, 5), "log units", "width within which the quantile loss is rounded off"
    )
    half_life_months: float = _bounded(
        60.0, (0.1, 1_200), "months", "age at which a past origin counts half"
    )
    ensemble_weight: float = _bounded(
        0.7, (0, 1), "share", "weight of the trees; the base forecasts have the rest"
    )
    bias_correction: float = _bounded(
        0.0, (0, 1), "share", "share of the median past error that corrects a forecast"
    )
    calibration_half_life_months: float = _bounded(
        12.0, (0.1, 1_200), "months", "age at which an error counts half in the bands"
    )
    calibration_prior: float = _bounded(
        300.0, (0.01, 1e6), "forecasts", "weight of the quantile models' own bands"
    )
    horizon_growth: float = _bounded(
        0.3, (0, 1), "", "power of the horizon that bands grow with, as errors do"
    )
    floor_spread: float = _bounded(
        0.05, (1e-3, 5), "", "least spread of the quantile models that errors are scaled by"
    )
    cell_noise: float = _bounded(
        0.25,
        (1e-3, 10),
        "log units",
        "spread of the log ratio of a cell known exactly; sets how fast uncertain ones lose weight",
        OF_MAGNETS,
    )
    stderr_limit: float = _bounded(
        0.5, (1e-3, 10), "log units", "cells less certain than this train nothing", OF_MAGNETS
    )
    history_weight: float = _bounded(
        0.5,
        (0, 2),
        "share",
        "share of the last months' standard error that enters the bands",
        OF_MAGNETS,
    )
    pairs: int = _bounded(
        8_000, (0, 1e6), "pairs", "pairs of series and past origin to train on, at most", OF_PANELS
    )
    most_series: int = _bounded(
        6_000, (1, 1e6), "series", "series that past origins look at, at most", OF_PANELS
    )
    """More are not worth their time."""
    rows: int = _bounded(
        10_000, (100, 1e7), "rows", "cells of past origins that a fit sees, at most"
    )
    step: int = _bounded(2, (1, 24), "months", "months between past origins", OF_PANELS)
    span: int = _bounded(
        60,
        (1, 1_200),
        "months",
        "months back to the earliest origin, besides the horizon",
        OF_PANELS,
    )
    least_history: int = _bounded(
        14,
        (14, 1_200),
        "months",
        "months of the panel that a past origin needs behind it",
        OF_PANELS,
    )
    validation_months: int = _bounded(
        12, (1, 1_200), "months", "the validation window, at least the horizon", OF_PANELS
    )
    seed: int = _bounded(20250404, (0, 2**31 - 1), "", "of every random draw")
    threads: int = _bounded(2, (1, 64), "threads", "threads that fit trees")
    """The numbers are the same with any number of them."""

    @property
    def by_name(self) -> dict[str, int | float]:
        names = self.bounds()
        return {name: value for name, value in asdict(self).items() if name in names}

    @property
    def boosting(self) -> dict[str, int | float]:
        return {name: value for name, value in self.by_name.items() if name in _LIGHTGBM}

    @property
    def digest(self) -> str:
        """Digest of all parameters but ``threads``, which changes no number; under first names."""
        values = {_FIRST_NAMES.get(name, name): value for name, value in self.by_name.items()}
        del values["threads"]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def changed(self) -> dict[str, int | float]:
        """Parameters that differ from the preset, without ``threads`` as in the digest."""
        differing = self.differing(PRESETS[self.model])
        return {name: value for name, value in differing.items() if name != "threads"}

    @property
    def changed_text(self) -> str:
        """Changed parameters as ``--set`` takes them, empty if there are none."""
        return " ".join(f"{name}={value:g}" for name, value in self.changed.items())

    def differing(self, other: "ModelParameters") -> dict[str, int | float]:
        """Parameters, by name, that differ from others of the same model."""
        base = other.by_name
        return {name: value for name, value in self.by_name.items() if value != base[name]}

    def bounds(self) -> dict[str, Bounds]:
        """Bounds of each parameter of this model, by name."""
        return {
            name: bounds for name, bounds in _BOUNDS.items() if bounds.model in {"", self.model}
        }


_FIRST_NAMES: Final = {"ensemble_weight": "trees_weight", "bias_correction": "shift"}
"""Names that renamed parameters keep in digests, and have in what was stored before."""

_RENAMED: Final = {first: name for name, first in _FIRST_NAMES.items()}

_BOUNDS: Final[dict[str, Bounds]] = {
    declared.name: declared.metadata["bounds"]
    for declared in fields(ModelParameters)
    if declared.metadata
}

_LIGHTGBM: Final = frozenset(
    {
        "learning_rate", "num_leaves", "min_data_in_leaf", "lambda_l2", "feature_fraction",
        "bagging_fraction", "max_bin", "seed",
    }
)  # fmt: skip
"""Parameters that LightGBM takes as they are; ``num_iterations`` is an argument of its training."""

PANEL_PRESET: Final = ModelParameters()

MAGNETS_PRESET: Final = ModelParameters(
    OF_MAGNETS,
    num_iterations=80,
    learning_rate=0.05,
    num_leaves=4,
    lambda_l2=5.0,
    feature_fraction=0.5,
    bagging_fraction=1.0,
    smoothing=0.08,
    half_life_months=48.0,
    ensemble_weight=0.5,
    bias_correction=0.5,
    calibration_half_life_months=18.0,
    calibration_prior=50.0,
    horizon_growth=0.25,
    history_weight=0.6,
    rows=10_000_000,
    threads=1,
)

PRESETS: Final[Mapping[str, ModelParameters]] = {
    OF_MAGNETS: MAGNETS_PRESET,
    OF_PANELS: PANEL_PRESET,
}

FORMAT: Final = 1
"""Format of parameter files; raised when the meaning of an entry changes."""

_LIST: Final = "`magnetcast config show` lists them"

Changes = Mapping[str, object]


def with_changes(parameters: ModelParameters, changes: Changes, *, where: str) -> ModelParameters:
    """Parameters with some values changed; first names of renamed ones are understood."""
    values: dict[str, int | float] = {}
    for key, value in changes.items():
        name = _RENAMED.get(key, key)
        _check_known(parameters, name, where=where)
        values[name] = _number(parameters, name, value, where=where)
    return replace(parameters, **values)  # type: ignore[arg-type]


def _check_known(parameters: ModelParameters, name: str, *, where: str) -> None:
    names = parameters.bounds()
    if name in names:
        return
    if name in _BOUNDS:
        raise DataError(
            f"{where}: {name!r} is a parameter of the model {_BOUNDS[name].model!r} only. Expected "
            f"one of the model {parameters.model!r}; {_LIST}. Leave it out."
        )
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(
        f"{where}: there is no parameter {name!r}.{hint} Expected one of {len(names)}; {_LIST}."
    )


def _number(parameters: ModelParameters, name: str, value: object, *, where: str) -> int | float:
    bounds, is_whole = parameters.bounds()[name], isinstance(parameters.by_name[name], int)
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not bounds.low <= number <= bounds.high or (is_whole and not number.is_integer()):
        raise DataError(
            f"{where}: {name}={value} does not fit. Expected a "
            f"{'whole ' if is_whole else ''}number from {bounds.low:.12g} to {bounds.high:.12g}"
            f"{f' ({bounds.unit})' if bounds.unit else ''}. Correct it."
        )
    return int(number) if is_whole else number


def parse_assignment(text: str) -> tuple[str, str]:
    """Name and value of ``name=value``.

    Examples:
        >>> parse_assignment("learning_rate=0.1")
        ('learning_rate', '0.1')
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise DataError(
            f"--set {text!r} sets nothing. Expected NAME=VALUE, e.g. learning_rate=0.1. Correct it."
        )
    return _RENAMED.get(name, name), value


def read_parameters(path: Path, preset: ModelParameters) -> ModelParameters:
    """Parameters in a file, over the preset of its model.

    A TOML or JSON file has ``model``, ``format`` and a table ``parameters``. ``found``, what a
    search of 0.1 noted, is not read.
    """
    where = f"Parameter file {path}"
    content = _content(path, where)
    if content.get("format", FORMAT) != FORMAT:
        raise DataError(
            f"{where} has format {content['format']!r}. Expected {FORMAT}, the format of this "
            "version. Write it anew."
        )
    unknown = sorted(set(content) - {"format", "model", "parameters", "found"})
    changes = content.get("parameters", {})
    if unknown or not isinstance(changes, dict):
        fault = f"{unknown[0]!r}" if unknown else "parameters that are no table"
        raise DataError(
            f"{where} has {fault}. Expected format, model and a table [parameters]. Correct it."
        )
    if (model := content.get("model", preset.model)) != preset.model:
        raise DataError(
            f"{where} is for the model {model!r}. Expected one for {preset.model!r}. "
            "Take another file."
        )
    return with_changes(preset, changes, where=where)


def _content(path: Path, where: str) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, ValueError) as err:
        raise DataError(
            f"{where} cannot be read ({err}). Expected a TOML or JSON file with a table "
            "[parameters]. Correct it."
        ) from err
    if not isinstance(content, dict):
        raise DataError(f"{where} holds a list. Expected a table with parameters. Correct it.")
    return content
