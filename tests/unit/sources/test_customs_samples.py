"""Real downloads of the customs' site and its tables of codes (``MAGNETCAST_SAMPLES``)."""

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from sources.bundled.all_tables import load_bundled
from sources.bundled.release_calendar import ReleaseCalendar
from sources.checks import objections
from sources.providers.customs import CustomsDownload, partner_place
from store.errors import DataError
from store.facts.batch import FileRows
from store.facts.commodities import partner_codes
from store.settings import PROJECT_ROOT
from store.vocabulary import COMMODITY

NOW = pd.Timestamp("2026-11-25T08:00:00Z")
SOYA = "12019019"


@pytest.fixture(scope="module")
def known() -> pd.DataFrame:
    rows = load_bundled(PROJECT_ROOT / "data").frame("observations")
    return rows[rows["commodity"].eq(COMMODITY)]


def load(path: Path) -> FileRows:
    return CustomsDownload(path, ReleaseCalendar({}), NOW, "export").load()


def in_dollars(source: Path) -> str:
    """Return a download in yuan as if the site had been asked for dollars."""
    return source.read_bytes().decode("gb18030").replace("人民币", "美元")


def relabelled(source: Path, to: Path, tonnes_per_tonne: float) -> Path:
    """Write a download of soya as one of magnets: its weights scaled."""
    headings, *lines = csv.reader(io.StringIO(in_dollars(source)))
    out = io.StringIO()
    write = csv.writer(out, quoting=csv.QUOTE_ALL)
    write.writerow(headings)
    for line in lines:
        line[3] = line[3].replace(SOYA, COMMODITY)
        line[5] = str(round(int(line[5]) * tonnes_per_tonne))
        write.writerow(line)
    to.write_bytes(out.getvalue().encode("gb18030"))
    return to


def test_a_real_download_is_read_to_the_kilogram_under_another_code(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sources.providers.customs.COMMODITY", SOYA)
    path = tmp_path / "soya.csv"
    path.write_text(in_dollars(samples / "customs" / "harukaworks_2024in.csv"), "gb18030")

    rows = load(path).tables["observations"]

    tonnes = rows[rows["measure"].eq("net_weight_t")].set_index(["destination", "period_from"])
    cell = tonnes["value"].round(3)
    asked = [("USA", "2024-01-01"), ("BRA", "2024-12-01"), ("ARG", "2024-12-01")]
    assert [cell[name, month] for name, month in asked] == [3325975.236, 2935355.350, 264306.095]
    assert len(cell) == 32


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("harukaworks_2024in.csv", "no line of exports of 85051110; its codes are 12011000"),
        ("harukaworks_2024out.csv", "its codes are 12011000; 12019011; 12019020"),
        ("GZ_sm_export_2024_cny_excerpt.csv", "partner not found.*Ask the site for"),
        ("CusCountry.json", "commodity, partner, quantity, period not found"),
        ("CusMappingCountryCode.json", "commodity, partner, quantity, period not found"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_magnets_is_refused(samples: Path, name: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        load(samples / "customs" / name)


@pytest.mark.parametrize("size", [1e-3, 1e-5, 1e-6])
def test_a_relabelled_table_of_imports_is_refused_by_its_weights_at_the_price_of_magnets(
    samples: Path, tmp_path: Path, known: pd.DataFrame, size: float
) -> None:
    source = samples / "customs" / "harukaworks_2024in.csv"
    path = relabelled(source, tmp_path / "soya.csv", size)

    found = objections(load(path), stored=known, ingested_at=NOW)

    assert any(
        "Weights differ from those stored of China's exports in the same" in f for f in found
    )


def test_all_names_and_codes_of_the_customs_own_table_are_places(samples: Path) -> None:
    rows = json.loads((samples / "customs" / "CusCountry.json").read_bytes())
    destinations = {partner.code: partner.destination for partner in partner_codes()}

    assert len(rows) == len(destinations) == 245
    for row in rows:
        place = destinations[row["COUNTRY_CODE"]]
        names = [row["COUN_C_NAME"], row.get("COUN_E_NAME", "")]
        assert {partner_place(name, row["COUNTRY_CODE"]) for name in names} == {place}
        assert {partner_place(name) for name in names if name} == {place}
