import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from models.forecasting.joint_paths import ErrorCopula
from service.charts.canvas import COLOURS
from service.charts.fan import Fan, make_fan
from service.charts.fan_charts import BANDS, fan_png, fan_svg, fit_height, plot_history, spread
from service.report.view import month_rows, nowcast
from tests.service.builders import make_events, make_forecasts, make_panel, make_report

PNG_HEAD = b"\x89PNG\r\n\x1a\n"


@pytest.mark.slow
def test_same_input_gives_the_same_picture_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.charts.kept._MOST", 0)
    first, second = (fan_png(make_fan(make_report(), "DEU")) for _ in range(2))

    assert first == second
    assert b"tEXt" not in first
    assert b"Software" not in first


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
def test_destination_without_forecast_still_has_a_picture() -> None:
    forecasts = make_forecasts()
    without = make_report(forecasts=forecasts[forecasts["destination"] != "THA"])

    assert fan_png(make_fan(without, "THA")).startswith(PNG_HEAD)


def test_history_starts_thirty_months_before_the_end_of_the_cutoff_and_ends_there() -> None:
    fan = make_fan(make_report(cutoff="2026-05"), "USA")

    assert fan.history["period"].min() == pd.Timestamp("2023-12-01")
    assert fan.history["period"].max() == pd.Timestamp("2026-05-01")


def drawn_history(fan: Fan) -> tuple[list[Line2D], list[str]]:
    axes = Figure().add_subplot()
    plot_history(axes, fan)
    return list(axes.lines), [type(one).__name__ for one in axes.collections]


def test_an_estimated_month_is_dashed_with_its_band_and_has_no_dot() -> None:
    fan = make_fan(make_report(), "DEU")

    (dashed, solid, observed, derived), bands = drawn_history(fan)

    kinds = fan.history["kind"].to_numpy()
    assert bands == ["FillBetweenPolyCollection"]
    assert dashed.get_linestyle() == "--"
    assert np.isfinite(dashed.get_ydata()).all()
    assert solid.get_linestyle() == "-"
    assert (np.isfinite(solid.get_ydata()) == (kinds != "estimated")).all()
    assert len(observed.get_xdata()) == (kinds == "observed").sum()
    assert len(derived.get_xdata()) == (kinds == "derived").sum()


def test_a_month_published_after_the_worlds_last_is_a_solid_dot_without_a_line() -> None:
    panel = make_panel()
    row = panel.query("destination == 'USA' and kind == 'observed'").tail(1)
    row = row.assign(period=pd.Timestamp("2026-09-01"), tonnes=9_000.0)
    fan = make_fan(make_report(panel=pd.concat([panel, row])), "USA")

    (_, solid, observed, _), _ = drawn_history(fan)

    assert np.asarray(observed.get_ydata())[-1] == 9_000.0
    assert observed.get_markerfacecolor() == COLOURS["history"]
    assert 9_000.0 not in np.asarray(solid.get_ydata())
    axes = Figure().add_subplot()
    fit_height(axes, fan)
    assert axes.get_ylim()[1] > 9_000.0


def test_a_published_month_is_not_said_to_be_unpublished() -> None:
    panel = make_panel()
    row = panel.query("destination == 'USA'").tail(1).assign(period=pd.Timestamp("2026-08-01"))
    before = make_fan(make_report(), "USA")
    fan = make_fan(make_report(panel=pd.concat([panel, row])), "USA")

    assert [one.published for one in month_rows(before)] == [None] * 15
    assert [one.published for one in month_rows(fan)] == [*row["tonnes"], *[None] * 14]
    assert nowcast(before, ErrorCopula()).startswith("August to October 2026, ended but not yet")
    assert nowcast(fan, ErrorCopula()).startswith("September to October 2026, ended but not yet")


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
    odd = events.assign(summary="$\\nonsense{$ costs 5$ \u7a00\u571f " + events["summary"])

    assert fan_png(make_fan(make_report(events=odd), "USA")).startswith(PNG_HEAD)


def test_crowded_markers_keep_their_distance_and_their_order() -> None:
    places = spread([10.0, 10.0, 11.0, 50.0], gap=5.0, low=0.0, high=100.0)

    assert min(np.diff(places)) >= 5.0 - 1e-9
    assert places[3] == pytest.approx(50.0)
    assert np.mean(places[:3]) == pytest.approx(31.0 / 3)
