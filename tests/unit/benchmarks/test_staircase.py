import pandas as pd
from matplotlib.patches import StepPatch

from benchmarks.staircase import staircase_plot

RELEASES = {0: "nothing yet", 20: "world total", 95: "detail"}


def steps() -> pd.DataFrame:
    ways = {"with": (0.2, 0.1, 0.0), "without": (0.2, 0.15, 0.0)}
    return pd.DataFrame(
        [
            {"way": way, "days": day, "error": error, "coverage": 0.8}
            for way, errors in ways.items()
            for day, error in zip(RELEASES, errors, strict=True)
        ]
    )


def test_each_way_is_one_staircase_in_error_and_in_coverage() -> None:
    above, below = staircase_plot(steps(), RELEASES).axes

    for axes, values in ((above, [0.2, 0.1, 0.0]), (below, [0.8, 0.8, 0.8])):
        stairs = [patch.get_data() for patch in axes.patches if isinstance(patch, StepPatch)]
        assert len(stairs) == 2
        assert list(stairs[0].values) == values
        assert list(stairs[0].edges) == [0, 20, 95, 103]


def test_each_release_is_named_at_its_day() -> None:
    above, below = staircase_plot(steps(), RELEASES).axes

    named = {text.xy[0]: text.get_text() for text in above.texts}
    assert named == RELEASES
    assert list(below.get_xticks()) == list(RELEASES)
