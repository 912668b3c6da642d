import json
import math
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pandas as pd
import pytest

from publication.charts.chart import COLOURS, Chart, instant, still
from publication.charts.fan import fan_of
from publication.charts.fan_chart import fan_chart
from publication.charts.record_charts import outcome
from publication.language.phrases import in_language
from publication.pages.page_charts import CHART_KINDS, page_chart
from publication.queries.destination_months import month_rows, sums_of
from publication.state import Publication
from tests.publication.builders import (
    make_cells,
    make_events,
    make_forecasts,
    make_panel,
    make_report,
)


@pytest.fixture(scope="session")
def vega_lite() -> jsonschema_rs.Validator:
    """The schema of Vega-Lite as Altair brings it; Altair itself is not loaded."""
    schema = Path(find_spec("altair").origin).parent / "vegalite/v6/schema/vega-lite-schema.json"
    read = json.loads(schema.read_text(encoding="utf-8"), object_hook=as_address)
    return jsonschema_rs.validator_for(read)


def as_address(node: dict[str, Any]) -> dict[str, Any]:
    """Write a reference of the schema as addresses are."""
    return {**node, "$ref": quote(node["$ref"], safe="#/")} if "$ref" in node else node


def drawn(code: str, **changes: object) -> dict[str, Any]:
    return fan_chart(fan_of(make_report(**changes), code)).description


def marks(description: dict[str, Any], kind: str) -> list[tuple[dict[str, Any], list[Any]]]:
    """Return marks of a kind and the rows that each draws."""
    return [
        (one["mark"], description["datasets"][one["data"]["name"]])
        for one in description["layer"]
        if one["mark"]["type"] == kind
    ]


@pytest.mark.parametrize("kind", ["fan", *CHART_KINDS])
def test_vega_lite_knows_every_kind_and_it_names_its_source_inside(
    publication: Publication, vega_lite: jsonschema_rs.Validator, kind: str
) -> None:
    with in_language("de"):
        found = page_chart(publication, kind, "USA")

    if kind == "revisions":  # which the two publications of these tests lack
        assert found is None
        return
    text = str(found.document)
    assert re.search(r'"legend":(?!null)', text) is None
    assert ("interval: 'month'" in text) == (kind in {"fan", "outcome", "replay"})
    description = json.loads(text)
    assert description["description"]
    # Vega takes an expression for a subtitle too, of which Vega-Lite's schema knows nothing.
    description["title"].pop("subtitle")
    assert "Quelle: magnetcast" in description["layer"][-1]["encoding"]["text"]["value"]["expr"]
    vega_lite.validate(description)
    assert len(description["usermeta"]["table"]) > 1


def test_bands_are_drawn_from_the_widest_to_the_narrowest_and_hold_the_forecast() -> None:
    description = drawn("JPN", panel=make_panel().iloc[:0])

    (_, rows), *_ = marks(description, "area")
    last = make_forecasts().query("destination == 'JPN'").iloc[-1]
    spans = [
        (one["encoding"]["y"]["field"], one["encoding"]["y2"]["field"])
        for one in description["layer"]
        if one["mark"]["type"] == "area"
    ]
    assert spans == [("p10", "p90"), ("p25", "p75")]
    assert rows[-1]["p90"] == pytest.approx(last["p90"], abs=5e-4)


def test_an_estimated_month_is_dashed_with_its_band_and_has_no_dot() -> None:
    fan = fan_of(make_report(), "DEU")
    description = fan_chart(fan).description

    faint = [one for one in marks(description, "line") if one[0]["stroke"] == "var(--c-faint)"]
    (dashed, rows), (solid, _) = faint
    kinds = fan.history["kind"].to_numpy()
    assert "strokeDash" in dashed
    assert "strokeDash" not in solid
    assert [row["settled"] is None for row in rows] == list(kinds == "estimated")
    counts = [len(dots) for mark, dots in marks(description, "point") if mark.get("size") == 32]
    assert counts == [(kinds == "observed").sum(), (kinds == "derived").sum()]


def published_later(code: str, month: str, tonnes: float) -> pd.DataFrame:
    """Return a panel with a month published after the world's last."""
    panel = make_panel()
    row = panel.query(f"destination == '{code}' and kind == 'observed'").tail(1)
    return pd.concat([panel, row.assign(period=pd.Timestamp(month), tonnes=tonnes)])


def test_a_month_published_after_the_worlds_last_is_a_solid_dot_without_a_line() -> None:
    description = drawn("USA", panel=published_later("USA", "2026-09-01", 9_000.0))

    dots = [
        rows for mark, rows in marks(description, "point") if mark.get("fill") == "var(--c-history)"
    ]
    (_, line), *_ = marks(description, "area")[-1:]
    (_, shaded), *_ = marks(description, "rect")
    september, october = (instant(pd.Timestamp(day)) for day in ("2026-09-01", "2026-10-01"))
    assert (shaded[0]["to"], shaded[1]["t"]) == (september, october)
    assert dots[0][-1]["tonnes"] == 9_000.0
    assert all(row["tonnes"] != 9_000.0 for row in line)


def test_a_published_month_is_said_to_be_published_and_counts_so_in_its_year() -> None:
    one_more = make_report(panel=published_later("USA", "2026-08-01", 500.0))

    rows = month_rows(fan_of(one_more, "USA"))
    assert [one.published for one in rows] == [500.0, *[None] * 14]
    assert next(one.period for one in rows if math.isnan(one.chance_below)) == "2026-08"
    before, after = (
        next(one.past for one in sums_of(found, "USA") if one.label == "Year 2026")
        for found in (make_report(), one_more)
    )
    assert after == (before[0] + 1, *before[1:])


def recorded(moments: int, horizons: list[int]) -> Chart:
    """Return the chart of a record of monthly publications."""
    rows = [
        ("USA", moment, moment.tz_localize(None) + pd.DateOffset(months=horizon), horizon)
        for moment in pd.date_range("2016-01-01", periods=moments, freq="MS", tz="UTC")
        for horizon in horizons
    ]
    cells = pd.DataFrame(rows, columns=["destination", "as_of", "period", "lead"])
    levels = {"p10": 80.0, "p50": 100.0, "p90": 120.0, "tonnes": 115.0, "inside80": True}
    return outcome("USA", cells.assign(**levels), make_panel(), pd.Timestamp("2026-11-24"))


def test_a_long_track_record_draws_its_newest_publications_and_says_so() -> None:
    short, long = recorded(12, [1, 2, 3]), recorded(100, [1, 2, 3])

    kept = {row["as_of"] for row in long.rows}
    assert (len(kept), min(kept), max(kept)) == (12, "2023-05-01", "2024-04-01")
    said = "Only the newest 12 forecasts are drawn."
    assert said not in short.label
    assert "36 forecasts of published months, 36 of them" in long.label
    assert long.label.endswith(said)
    assert said in long.description["title"]["subtitle"]["expr"]


def test_a_choice_of_months_ahead_has_forecasts() -> None:
    live = recorded(2, [4, 14])
    [choice] = live.description["params"]
    late = make_cells().query("p90 == 112")  # those of eight months ahead
    replay = outcome("USA", late, make_panel(), pd.Timestamp("2026-11-24"))
    [begun] = replay.description["params"]

    assert [label.split(":")[0] for label in choice["bind"]["labels"]] == [
        "all months", "4 to 6 months ahead", "13 to 14 months ahead"
    ]  # fmt: skip
    assert "0 of 0" not in live.label
    assert begun["bind"]["labels"][begun["value"]] == "7 to 8 months ahead: 0 of 3 inside"


@pytest.mark.slow
def test_pictures_are_the_same_twice_and_take_any_text() -> None:
    odd = make_events().assign(summary="$\\no{$ <b>&\"' 稀土 \U0001f9f2 ' + alert(1) + '")
    chart: Chart = fan_chart(fan_of(make_report(events=odd), "USA"))

    first, second = (still(chart.document) for _ in range(2))

    assert first == second
    assert f"--c-history:{COLOURS['history']};" in first
