import csv
import io
import json
import re
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import Engine

from publication.data_files import publication_files, site_files, workbook
from publication.state import Publication
from publication.words import slug_of
from store.facts.batch import Batch, FileRows
from store.facts.writing import write_batch
from store.publications.panels import BASIS_COLUMNS
from tests.data.store_builders import make_observations
from tests.publication.builders import make_drivers, make_forecasts
from tests.publication.second_commodity import GOODS, PARTNERS
from tests.publication.stores import publications_of


def json_at(site: Path, path: str) -> Any:  # noqa: ANN401 - of any form
    return json.loads((site / "api/v1" / path).read_text(encoding="utf-8"))


def rows_at(site: Path, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((site / "api/v1" / path).read_text(encoding="utf-8"))))


def test_a_forecast_is_what_was_published(site: Path) -> None:
    answer = json_at(site, "destinations/USA.json")

    published = make_drivers(make_forecasts()).query("destination == 'USA'")
    assert [month["period"] for month in answer["months"]] == list(published["period"])
    assert [m["p50"] for m in answer["months"]] == pytest.approx(list(published["p50"]), abs=5e-4)
    assert (answer["as_of"], answer["cutoff"]) == ("2026-11-24T00:00:00Z", "2026-07")
    assert [(c["horizon_from"], c["share"], c["forecasts"]) for c in answer["coverage"]] == [
        (1, 0.78, 220), (4, 0.78, 220), (7, 0.78, 220)
    ]  # fmt: skip
    assert answer["months"][0]["drivers"][0]["name"] == "level of the last three months"


def test_a_destination_says_how_far_it_is_published_wherever_it_is_asked_for(site: Path) -> None:
    forecast = json_at(site, "destinations/DEU.json")
    months, row = forecast["history"], rows_at(site, "destinations/DEU.csv")[0]

    (own,) = (one for one in json_at(site, "destinations.json")["rows"] if one["name"] == "Germany")
    assert len(months) > 100
    assert own["published_to"] == max(m["period"] for m in months if m["kind"] == "observed")
    estimated = sum(month["kind"] == "estimated" for month in months[-12:])
    assert own["estimated_share"] == pytest.approx(estimated / 12, abs=1e-4)
    assert forecast["basis"] == {name: own[name] for name in BASIS_COLUMNS}
    assert [row[name] for name in BASIS_COLUMNS] == [str(own[name]) for name in BASIS_COLUMNS]


def test_every_listed_file_is_there_with_the_same_rows_as_json_and_csv(site: Path) -> None:
    index = json_at(site, "index.json")
    paths = [row["path"] for row in index["files"]]

    assert index["licence"]["name"] == "CC-BY-4.0"
    assert [row["commodity"] for row in index["publications"]] == ["85051110", GOODS]
    assert len(index["publications"][1]["destinations"]) == PARTNERS + 2
    for path in paths:
        if path.endswith(".json"):
            text = json.loads((site / path).read_text(encoding="utf-8"))
            rows = rows_at(site, path.removeprefix("api/v1/").replace(".json", ".csv"))
            assert len(text["rows"]) == len(rows), path
            assert (not rows) or list(text["rows"][0]) == list(rows[0]), path
    for row in index["publications"]:
        for name in row["destinations"]:
            assert (site / row["data"] / f"destinations/{name}.csv").is_file()


def test_the_package_describes_just_the_columns_of_its_files(home: Path) -> None:
    for folder in (home / "publications").glob("*/*"):
        package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))

        assert package["licenses"][0]["path"].startswith("https://creativecommons.org/")
        assert {one["path"] for one in package["resources"]} == {
            path.name for path in folder.glob("*.csv")
        }
        for one in package["resources"]:
            with (folder / one["path"]).open(encoding="utf-8", newline="") as opened:
                reader = csv.DictReader(opened)
                rows, columns = list(reader), reader.fieldnames
            fields = {field["name"]: field["type"] for field in one["schema"]["fields"]}
            assert list(fields) == columns, one["path"]
            keys = [tuple(row[name] for name in one["schema"]["primaryKey"]) for row in rows]
            assert len(set(keys)) == len(keys), one["path"]
            for name in (name for name, kind in fields.items() if kind in {"number", "integer"}):
                assert [float(row[name]) for row in rows if row[name]], (one["path"], name)


def test_revisions_of_one_figure_are_rows_of_their_own(site: Path) -> None:
    rows = [
        row
        for row in json_at(site, "figures.json")["rows"]
        if row["destination"] == "WLD" and row["period_from"] <= "2025-04" <= row["period_to"]
    ]

    moments = [row["available_at"] for row in rows]
    assert moments == sorted(moments, reverse=True)
    assert len(rows) > 1


def test_history_tells_months_by_how_they_are_known(site: Path) -> None:
    known = {row["period"]: row for row in json_at(site, "destinations/USA.json")["history"]}

    assert (known["2025-05"]["kind"], round(known["2025-05"]["tonnes"])) == ("observed", 46)
    assert known["2026-06"]["kind"] == "estimated"
    assert max(known) == "2026-07"


def test_months_of_a_table_tell_which_a_source_lists(site: Path) -> None:
    data = f"goods/{GOODS}/destinations"
    rows = {
        name: json_at(site, f"{data}/{name}.json")["history"] for name in ("USA", "EU27", "WLD")
    }

    assert {name: rows[name][-1]["period"] for name in rows} == dict.fromkeys(rows, "2026-09")
    assert {row["kind"] for row in rows["EU27"]} == {"derived"}
    assert {row["kind"] for row in rows["WLD"]} == {"observed"}
    assert rows["WLD"][-1]["available_at"] == "2026-10-25T00:00:00Z"
    assert rows["WLD"][-1]["tonnes"] > rows["EU27"][-1]["tonnes"] > 0


def test_quarters_the_year_and_twelve_months_have_bands_of_their_own(site: Path) -> None:
    answer = json_at(site, "destinations/USA.json")
    rows = {row["what"]: row for row in answer["sums"]}

    assert list(rows) == [
        "Quarter 4 of 2026", "Quarter 1 of 2027", "Quarter 2 of 2027", "Quarter 3 of 2027",
        "Year 2026", "Next twelve months",
    ]  # fmt: skip
    year, quarter = rows["Year 2026"], rows["Quarter 1 of 2027"]
    assert (year["first"], year["last"], year["past_months"]) == ("2026-01", "2026-12", 7)
    own = [m for m in answer["months"] if m["period"] in {"2027-01", "2027-02", "2027-03"}]
    assert sum(m["p10"] for m in own) < quarter["p10"] < quarter["p50"]
    assert quarter["p50"] < quarter["p90"] < sum(m["p90"] for m in own)
    assert quarter["p50"] == pytest.approx(sum(m["p50"] for m in own), rel=0.02)
    assert 0.05 <= quarter["chance_below"] <= 0.95


def test_no_text_becomes_a_formula_in_csv(engine: Engine) -> None:
    attack = "=cmd|' /C calc'!A0"
    rows = make_observations({"usable": False, "source": attack, "source_url": "@SUM(1)"})
    file = FileRows(
        "evil", "+evil.csv", "e" * 64, {"observations": rows}, asked="=imports, 2026-08"
    )
    write_batch(engine, Batch((file,)))

    files = {one.name: one.csv for one in site_files(publications_of(engine)[0])}

    assert f"'{attack}" in files["figures"]
    assert "'@SUM(1)" in files["figures"]
    assert ",'+evil.csv,\"'=imports, 2026-08\"," in files["vintages"]
    assert not re.search(r"(^|,)[=+@]", "".join(files.values()), flags=re.MULTILINE)


def test_the_spreadsheet_has_the_published_numbers_and_is_the_same_twice(
    publication: Publication, home: Path
) -> None:
    content = (home / publication.folder / "forecast.xlsx").read_bytes()

    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    rows = book.get_sheet_by_name("Forecast").to_python()
    usa = [row for row in rows[1:] if row[rows[0].index("destination")] == "USA"]
    assert book.sheet_names == ["Forecast", "Drivers", "History", "About"]
    assert usa[0][rows[0].index("period")] == date(2026, 8, 1)
    assert workbook(publication, publication_files(publication)) == content
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert not any(b"<f>" in opened.read(name) for name in opened.namelist())


def test_addresses_have_no_sign_that_a_folder_cannot_have() -> None:
    assert slug_of("850511/..") == "850511_"
