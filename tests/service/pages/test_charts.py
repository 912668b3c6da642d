import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from service.charts import publication_charts
from service.charts.dot_plots import DotPlot, DotRow, dot_plot_svg
from service.charts.fan import make_fan
from service.charts.fan_charts import fan_png, fan_svg, phone_svg
from service.charts.plotting import BANDS, spread
from service.charts.publication_charts import overview_png
from service.wording import DESTINATION_NAMES
from tests.service.builders import make_events, make_forecasts, make_panel, make_report

PNG_HEAD = b"\x89PNG\r\n\x1a\n"


@pytest.mark.slow
def test_same_input_gives_the_same_picture_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.charts.kept.MOST", 0)
    first, second = (fan_png(make_fan(make_report(), "DEU")) for _ in range(2))

    assert first == second
    assert b"tEXt" not in first
    assert b"Software" not in first


@pytest.mark.slow
def test_another_forecast_gives_another_picture() -> None:
    forecasts = make_forecasts()
    doubled = forecasts.assign(p50=1.1 * forecasts["p50"])

    assert fan_png(make_fan(make_report(), "DEU")) != fan_png(
        make_fan(make_report(forecasts=doubled), "DEU")
    )


@pytest.mark.slow
def test_bands_are_shaded_from_the_widest_to_the_narrowest(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, float]] = []
    fill = Axes.fill_between

    def record(self: Axes, x: object, low: object, high: object, **style: object) -> object:
        drawn.append((float(np.asarray(high)[-1] - np.asarray(low)[-1]), float(style["zorder"])))
        return fill(self, x, low, high, **style)

    monkeypatch.setattr(Axes, "fill_between", record)
    report = make_report(panel=make_panel().iloc[:0])
    fan_png(make_fan(report, "JPN"))

    last = make_forecasts().query("destination == 'JPN'").iloc[-1]
    widths = [last[high] - last[low] for low, high, _, _ in BANDS]
    assert [width for width, _ in drawn] == pytest.approx(widths)
    assert widths == sorted(widths, reverse=True)
    assert [order for _, order in drawn] == sorted(order for _, order in drawn)


@pytest.mark.slow
def test_destination_without_history_still_has_a_picture() -> None:
    panel = make_panel()
    without = make_report(panel=panel[panel["destination"] != "THA"])

    fan = make_fan(without, "THA")

    assert fan.history.empty
    assert fan_png(fan).startswith(PNG_HEAD)
    assert fan_png(fan) != fan_png(make_fan(make_report(), "THA"))


@pytest.mark.slow
def test_destination_without_forecast_still_has_a_picture() -> None:
    forecasts = make_forecasts()
    without = make_report(forecasts=forecasts[forecasts["destination"] != "THA"])

    assert fan_png(make_fan(without, "THA")).startswith(PNG_HEAD)


def test_history_starts_thirty_months_before_the_end_of_the_cutoff_and_ends_there() -> None:
    fan = make_fan(make_report(cutoff="2026-05"), "USA")

    assert fan.history["period"].min() == pd.Timestamp("2023-12-01")
    assert fan.history["period"].max() == pd.Timestamp("2026-05-01")


def test_kinds_of_months_are_distinguished_in_the_legend() -> None:
    drawing = fan_svg(make_fan(make_report(), "DEU"), label="Germany")

    for entry in ("observed month", "derived from other figures", "estimated month"):
        assert entry in drawing


@pytest.mark.slow
def test_shading_of_unpublished_months_appears_only_when_there_are_any() -> None:
    late = fan_svg(make_fan(make_report(), "DEU"), label="")
    prompt_day = pd.Timestamp("2026-08-01", tz="UTC")
    prompt = fan_svg(make_fan(make_report(as_of=prompt_day), "DEU"), label="")

    assert "past, not yet published" in late
    assert "past, not yet published" not in prompt


def test_title_states_destination_day_and_bands() -> None:
    drawing = fan_svg(make_fan(make_report(), "VNM"), label="")

    assert "Vietnam" in drawing
    assert "24 November 2026" in drawing
    assert "50, 80 and 90% of outcomes" in drawing


def test_tonnes_have_thousands_separators() -> None:
    drawing = fan_svg(make_fan(make_report(), "WLD"), label="")

    assert ">12,000<" in drawing


@pytest.mark.slow
def test_fallback_is_named_on_its_own_chart_only() -> None:
    report = make_report()

    assert "fallback" in fan_svg(make_fan(report, "THA"), label="")
    assert "fallback" not in fan_svg(make_fan(report, "JPN"), label="")


def test_colours_of_an_inline_picture_are_the_pages_variables() -> None:
    drawing = fan_svg(make_fan(make_report(), "DEU"), label="")

    assert "var(--c-median)" in drawing
    assert "#00507d" not in drawing


def test_label_of_a_picture_is_escaped() -> None:
    drawing = fan_svg(make_fan(make_report(), "DEU"), label='"><script>')

    assert "<script>" not in drawing
    assert "&quot;&gt;&lt;script&gt;" in drawing


@pytest.mark.slow
def test_dollars_and_foreign_letters_in_an_event_do_not_stop_the_drawing() -> None:
    events = make_events()
    strange = events.assign(summary="$\\nonsense{$ costs 5$ \u7a00\u571f " + events["summary"])

    assert fan_png(make_fan(make_report(events=strange), "USA")).startswith(PNG_HEAD)


@pytest.mark.slow
def test_overview_draws_every_destination() -> None:
    fans = [make_fan(make_report(), destination) for destination in DESTINATION_NAMES]

    drawing = publication_charts.overview_svg(fans, label="", title="All")

    assert all(f">{name}<" in drawing for name in DESTINATION_NAMES.values())
    assert overview_png(fans, title="All") == overview_png(fans, title="All")


def test_crowded_markers_keep_their_distance_and_their_order() -> None:
    places = spread([10.0, 10.0, 11.0, 50.0], gap=5.0, low=0.0, high=100.0)

    assert min(np.diff(places)) >= 5.0 - 1e-9
    assert places[3] == pytest.approx(50.0)
    assert np.mean(places[:3]) == pytest.approx(31.0 / 3)


def test_markers_at_the_edge_stay_on_the_page() -> None:
    places = spread([99.0, 100.0, 100.0], gap=5.0, low=0.0, high=100.0)

    assert max(places) <= 100.0
    assert min(np.diff(places)) >= 5.0 - 1e-9


def test_more_markers_than_fit_share_the_room_evenly() -> None:
    assert spread([5.0] * 5, gap=50.0, low=0.0, high=100.0) == pytest.approx([0, 25, 50, 75, 100])


def test_on_a_phone_the_forecast_has_more_than_half_of_the_chart() -> None:
    fan = make_fan(make_report(), "USA")

    few = fan.for_phones()

    assert few.end == fan.end
    assert (few.end - few.cutoff_end) > (few.cutoff_end - few.start)
    assert few.history["period"].min() == few.start
    assert all(marker in fan.markers and marker.when >= few.start for marker in few.markers)
    assert "March 2026" in phone_svg(fan, label="to March 2026")


def test_a_row_without_any_share_is_drawn_empty() -> None:
    plot = DotPlot("p", "Error", ("ours", "naive"), (DotRow("France", (math.nan, math.inf), 3),))

    assert "<svg" in dot_plot_svg(plot)
    assert plot.label == "Error. France:  (3 months)."
