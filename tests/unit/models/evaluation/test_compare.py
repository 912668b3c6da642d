import numpy as np
import pandas as pd
import pytest

from models.evaluation.compare import BETTER, UNSURE, WORSE, differences

SEED = 20250404


def make_cells(
    model: str,
    scaled: list[float],
    *,
    cutoffs: list[str] | None = None,
    tonnes: float = 100.0,
    **columns: object,
) -> pd.DataFrame:
    """Build one cell a number, each of its own destination unless ``columns`` say otherwise."""
    count = len(scaled)
    frame = pd.DataFrame(
        {
            "model": model,
            "cutoff": ["2021-06"] * count if cutoffs is None else cutoffs,
            "destination": [f"S{i:02d}" for i in range(count)],
            "period": pd.Timestamp("2021-07-01"),
            "horizon": 1,
            "tonnes": tonnes,
            "scaled_error": scaled,
            "scaled_quantile_loss": np.array(scaled) / 2.0,
            "absolute_error": np.array(scaled) * 10.0,
        }
    )
    return frame.assign(**columns)


def simulated(rng: np.random.Generator, *, lead: float) -> pd.DataFrame:
    """Build cells of two models whose errors share effects of destinations and of cutoffs."""
    cutoffs, destinations, horizons = 12, 25, 2
    shape = (cutoffs, destinations, horizons)
    own = lead + rng.normal(0, 0.3, shape)
    own += rng.normal(0, 0.3, (1, destinations, 1)) + rng.normal(0, 0.3, (cutoffs, 1, 1))
    axes = np.indices(shape).reshape(3, -1)
    base = pd.DataFrame(
        {
            "cutoff": [f"{2010 + c}-06" for c in axes[0]],
            "destination": [f"S{d:02d}" for d in axes[1]],
            "period": axes[2],
            "horizon": axes[2] + 1,
            "tonnes": 100.0,
        }
    )
    losses = ("scaled_error", "scaled_quantile_loss", "absolute_error")
    ours = base.assign(model="own", **dict.fromkeys(losses, own.reshape(-1) + 2.0))
    theirs = base.assign(model="other", **dict.fromkeys(losses, 2.0))
    return pd.concat([ours, theirs], ignore_index=True)


def test_scores_and_differences_are_those_worked_out_by_hand() -> None:
    cells = pd.concat([make_cells("own", [1.0, 2.0]), make_cells("other", [2.0, 4.0])])

    table = differences(cells, "own", ["other"]).set_index("metric")

    assert table["score"].tolist() == [1.5, 0.75, 0.15]
    assert table["baseline_score"].tolist() == pytest.approx([3.0, 1.5, 0.3])
    assert table["difference"].tolist() == pytest.approx([-1.5, -0.75, -0.15])
    assert table["cells"].tolist() == [2, 2, 2]
    # Each series moves the mean by a quarter; two leave one degree of freedom: Student's 6.3138.
    half = np.sqrt(2 * 2 * 0.25**2) * 6.3138
    assert table.loc["mase", ["p05", "p95"]].tolist() == pytest.approx(
        [-1.5 - half, -1.5 + half], rel=1e-4
    )
    assert (table["verdict"] == UNSURE).all()


def test_identical_models_differ_by_exactly_zero_and_are_not_distinguished() -> None:
    rng = np.random.default_rng(SEED)
    scaled = rng.gamma(2.0, 0.37, 30).tolist()
    cells = pd.concat([make_cells("own", scaled), make_cells("other", scaled)])

    table = differences(cells, "own", ["other"])

    assert (table[["difference", "p05", "p95"]] == 0.0).all(axis=None)
    assert set(table["verdict"]) == {UNSURE}


@pytest.mark.parametrize(("gap", "verdict"), [(-0.5, BETTER), (0.5, WORSE)])
def test_a_model_that_leads_or_loses_nearly_everywhere_is_distinguished(
    gap: float, verdict: str
) -> None:
    scaled = np.linspace(2.0, 4.0, 20)
    lead = np.linspace(gap - 0.6, gap + 0.6, 20)
    cells = pd.concat(
        [make_cells("own", (scaled + lead).tolist()), make_cells("other", scaled.tolist())]
    )

    assert set(differences(cells, "own", ["other"])["verdict"]) == {verdict}


@pytest.mark.slow
def test_intervals_cover_a_known_difference_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(SEED)
    covered = []
    for _ in range(150):
        found = differences(simulated(rng, lead=-0.2), "own", ["other"])
        covered.append(found["p05"].iloc[0] <= -0.2 <= found["p95"].iloc[0])

    assert 0.86 <= np.mean(covered) <= 0.97


def test_effects_of_cutoffs_widen_the_interval() -> None:
    """Errors that move together at a cutoff are no independent evidence."""
    names = [f"S{i:02d}" for i in range(50)]
    apart = np.linspace(-1.0, 1.0, 200)
    quarters = np.repeat(["2018-06", "2019-06", "2020-06", "2021-06"], 50).tolist()
    widths = []
    for scaled in (apart, np.sort(apart).reshape(50, 4).T.reshape(-1)):
        ours = make_cells("own", (scaled + 3).tolist(), cutoffs=quarters, destination=names * 4)
        theirs = make_cells("other", [3.0] * 200, cutoffs=quarters, destination=names * 4)
        row = differences(pd.concat([ours, theirs]), "own", ["other"]).iloc[0]
        widths.append(row["p95"] - row["p05"])

    together, mixed = widths
    assert together > 2.0 * mixed


def test_a_cell_without_a_scale_counts_in_wape_alone() -> None:
    nan = float("nan")
    ours = make_cells("own", [1.0, nan], absolute_error=[10.0, 30.0])
    theirs = make_cells("other", [2.0, nan], absolute_error=[20.0, 60.0])

    table = differences(pd.concat([ours, theirs]), "own", ["other"])

    assert table["cells"].tolist() == [1, 1, 2]
    assert table["difference"].tolist() == pytest.approx([-1.0, -0.5, -0.2])


def test_origins_of_one_cutoff_are_paired_by_their_moment() -> None:
    moments = pd.to_datetime(["2021-07-25", "2021-08-25"], utc=True)
    ours = make_cells("own", [1.0, 2.0], destination="USA", as_of=moments)
    theirs = make_cells("other", [2.0, 4.0], destination="USA", as_of=moments)

    row = differences(pd.concat([ours, theirs]), "own", ["other"]).iloc[0]

    assert (row["cells"], row["difference"]) == (2, -1.5)


def test_monthly_cutoffs_count_as_autocorrelated() -> None:
    """A year of monthly cutoffs, half good and half bad, proves less than it seems to."""
    months = [f"2021-{month:02d}" for month in range(1, 13)]
    scaled = [2.0] * 6 + [4.0] * 6
    widths = []
    for horizon in (1, 3):
        ours = make_cells("own", scaled, cutoffs=months, destination="USA", horizon=horizon)
        theirs = make_cells("other", [3.0] * 12, cutoffs=months, destination="USA", horizon=horizon)
        row = differences(pd.concat([ours, theirs]), "own", ["other"]).iloc[0]
        widths.append(row["p95"] - row["p05"])

    # 12 cutoffs, each by itself; then four groups of three, weights 1, 2/3 and 1/3 of Bartlett.
    by_hand = [2 * 1.7959 * (1 / 11) ** 0.5, 2 * 2.3534 * (28 / 144 * 4 / 3) ** 0.5]
    assert widths == pytest.approx(by_hand, rel=1e-4)
