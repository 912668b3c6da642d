import numpy as np
import pandas as pd
import pytest

from models.forecasting.model_names import MODEL, REFERENCE
from models.monitoring import coverage_reading, covered_cells, effective_sample_size


def cells(periods: list[str], *, inside: int = 0, of: int = 2) -> pd.DataFrame:
    """Replayed cells of destinations and the world; of each month ``inside`` lie in the band."""
    rows = [
        {
            "model": model, "as_of": "2024-12-25", "destination": name, "cutoff": "2024-11",
            "period": pd.Timestamp(period), "horizon": 1 + i % 3, "p10": 90.0, "p90": 110.0,
            "tonnes": 100.0 if k < inside else 130.0,
        }
        for model in (MODEL, REFERENCE)
        for k, name in enumerate([f"D{k}" for k in range(of)] + ["WLD"])
        for i, period in enumerate(periods)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def published(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.loc[rows["model"] == MODEL].drop(columns=["model", "as_of", "horizon", "tonnes"])


def test_cells_that_hit_and_miss_together_count_for_few() -> None:
    counts = np.full(24, 10.0)
    apart, together = np.tile([0.8, 0.79], 12), np.tile([1.0, 1.0, 1.0, 1.0, 0.0, 1.0], 4)

    assert effective_sample_size(apart, counts, 12, 0.8) == 120.0
    assert effective_sample_size(together, counts, 12, 0.8) < 15.0
    # A correlation above 0.8 is not read from 24 months: 0.16 over 0.0283 of variance.
    lasting = np.repeat([1.0, 0.6], 12)
    assert effective_sample_size(lasting, counts, 12, 0.8) == pytest.approx(5.651, abs=1e-3)


@pytest.mark.parametrize(("inside", "fired"), [(8, False), (5, True), (10, True)])
def test_a_band_that_holds_too_little_or_too_much_is_reported(inside: int, fired: bool) -> None:  # noqa: FBT001
    months = [f"{month:%Y-%m}" for month in pd.date_range("2023-01", periods=24, freq="MS")]
    replayed = cells(months, inside=inside, of=10)

    reading = coverage_reading(replayed, published(replayed).head(0))

    assert (reading.value, reading.size, reading.fired) == (inside / 10, 120, fired)


def test_too_few_months_judge_nothing_and_say_how_many_are_needed() -> None:
    replayed = cells(["2025-01", "2025-02"])

    reading = coverage_reading(replayed, published(replayed))

    assert not reading.fired
    assert str(reading.words).endswith("2 months are scored, 12 are needed.")


def test_what_was_published_is_judged_as_it_stood_and_sums_are_left_out() -> None:
    replayed = cells(["2025-01", "2025-02"], inside=1, of=1)
    wide = published(replayed.loc[replayed["period"] == "2025-01"]).assign(p10=120.0, p90=140.0)

    covered = covered_cells(replayed, wide)

    assert set(covered["destination"]) == {"D0"}
    assert covered.set_index("period")["is_covered"].tolist() == [False, True]
