"""Forecasts of statsforecast for 24 made-up series, that tests hold our base forecasts to.

Run with a Python that has statsforecast, which this project does not need:

    python benchmarks/reference_base_forecasts.py

Writes tests/data/reference_base_forecasts.json. Series are
seeded: a new run changes nothing but the version of statsforecast.
"""

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from statsforecast.models import (
    TSB,
    AutoETS,
    DynamicOptimizedTheta,
    RandomWalkWithDrift,
    SeasonalNaive,
    SimpleExponentialSmoothingOptimized,
)

OUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "reference_base_forecasts.json"
HORIZON = 6
DRIFT_VALUES = 25
"""Our drift looks at the steps between this many values."""

TSB_RATES = {"alpha_d": 0.1, "alpha_p": 0.2}
SEED = 20250404

Floats = np.ndarray


def trend(rng: np.random.Generator, months: int) -> Floats:
    """A line with noise, rising or falling."""
    slope = rng.uniform(-0.8, 1.5)
    return 100.0 + slope * np.arange(months) + rng.normal(0.0, 4.0, months)


def seasonal(rng: np.random.Generator, months: int) -> Floats:
    """A year's pattern with noise that grows with it."""
    pattern = 1.0 + 0.4 * np.sin(np.arange(months) * np.pi / 6.0 + rng.uniform(0.0, 6.0))
    return 50.0 * pattern * np.exp(rng.normal(0.0, 0.1, months))


def intermittent(rng: np.random.Generator, months: int) -> Floats:
    """Zeros, and demands of a few units."""
    occurs = rng.random(months) < rng.uniform(0.2, 0.5)
    return np.where(occurs, rng.gamma(3.0, 5.0, months), 0.0)


def level_shift(rng: np.random.Generator, months: int) -> Floats:
    """A level that breaks once."""
    place = rng.integers(months // 3, months - 6)
    level = np.where(np.arange(months) < place, 200.0, 200.0 * rng.uniform(0.3, 0.7))
    return level + rng.normal(0.0, 12.0, months)


def walk(rng: np.random.Generator, months: int) -> Floats:
    """A random walk of logs."""
    return 30.0 * np.exp(np.cumsum(rng.normal(0.0, 0.12, months)))


def noise(rng: np.random.Generator, months: int) -> Floats:
    """A level with noise."""
    return 1_000.0 + rng.normal(0.0, 90.0, months)


KINDS = (trend, seasonal, intermittent, level_shift, walk, noise)
LENGTHS = (96, 60, 41, 30)


def series() -> dict[str, list[float]]:
    """One of each kind and length, at least 0, to three decimals."""
    rng = np.random.default_rng(SEED)
    return {
        f"{kind.__name__} of {months}": np.maximum(kind(rng, months), 0.0).round(3).tolist()
        for months in LENGTHS
        for kind in KINDS
    }


def forecasts(values: list[float]) -> dict[str, list[float]]:
    """What statsforecast forecasts for one series, by the name of our base forecast."""
    known = np.array(values)
    models = {
        "seasonal_naive": (SeasonalNaive(season_length=12), known),
        "drift": (RandomWalkWithDrift(), known[-DRIFT_VALUES:]),
        "ses": (SimpleExponentialSmoothingOptimized(), known),
        "theta": (DynamicOptimizedTheta(season_length=1), known),
        "damped_trend": (AutoETS(season_length=1, model="AAN", damped=True), known),
        "tsb": (TSB(**TSB_RATES), known),
    }
    return {
        name: [float(value) for value in model.forecast(y=past, h=HORIZON)["mean"]]
        for name, (model, past) in models.items()
    }


def main() -> None:
    cases = [
        json.dumps({"series": name, "values": values, "forecasts": forecasts(values)})
        for name, values in series().items()
    ]
    head = {
        "made_by": "benchmarks/reference_base_forecasts.py",
        "statsforecast": version("statsforecast"),
    }
    lines = ",\n".join(cases)
    OUT.write_text(f'{json.dumps(head)[:-1]}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"wrote {OUT.name}: {len(cases)} series")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
