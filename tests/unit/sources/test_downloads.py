import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import xlsxwriter

from sources.bundled.release_calendar import ReleaseCalendar
from sources.checks import objections
from sources.providers.customs import CustomsDownload, refuse_other_table
from sources.providers.downloads import download
from store.errors import DataError
from store.schema.frame_schemas import validate
from store.schema.frames import typed_frame

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")

COMTRADE = (
    "typeCode,freqCode,period,reporterCode,reporterDesc,flowCode,partnerCode,partnerDesc,"
    "partner2Code,cmdCode,customsCode,motCode,qtyUnitCode,qty,netWgt,primaryValue\n"
    "C,M,202608,156,China,X,842,USA,0,850511,C00,0,8,512345,512345,28179000,\n"
    "C,M,202608,156,China,X,842,USA,0,850511,C00,2100,8,5,5,9,\n"
    "C,M,202608,156,China,X,792,T\xfcrkiye,0,850511,C00,0,8,,,77000,\n"
    "C,A,2025,156,China,X,842,USA,0,850511,C00,0,8,1,1,1,\n"
)
EXPORTS = (
    "850511 USA net_weight_t 512.345, 850511 USA value_musd 28.179, 850511 TUR value_musd 0.077"
)
TRADE_DATA = COMTRADE.encode("latin-1")


def save(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_trade_data_are_known_by_their_headings_and_read_to_the_kilogram(tmp_path: Path) -> None:
    file = download(save(tmp_path / "TradeData.csv", TRADE_DATA), NOW)

    rows = validate(file.tables["observations"], "observations", where="test")
    found = rows[["commodity", "destination", "measure", "value"]].round(6).astype(str)
    assert set(found.agg(" ".join, axis=1)) == set(EXPORTS.split(", "))
    assert set(rows["period_from"]) == {pd.Timestamp("2026-08-01")}
    assert set(rows["available_at"]) == {NOW}
    assert file.asked.endswith(", in TradeData.csv")
    assert file.ignored == ("1 lines: another motcode", "1 lines: no single month")
    assert objections(file, stored=typed_frame([], "observations"), ingested_at=NOW) == ()


def test_old_trade_data_are_known_180_days_after_their_month(tmp_path: Path) -> None:
    old = TRADE_DATA.replace(b"202608", b"202508")

    rows = download(save(tmp_path / "TradeData.csv", old), NOW).tables["observations"]

    assert set(rows["available_at"]) == {pd.Timestamp("2026-02-27", tz="UTC")}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"850511", b"850519", "other goods"),
        (b"China,X", b"China,M", "another flowcode"),
        (b",156,", b",842,", "another reportercode"),
    ],
)
def test_what_holds_nothing_of_ours_is_refused_with_what_to_do(
    tmp_path: Path, old: bytes, new: bytes, reason: str
) -> None:
    path = save(tmp_path / "TradeData.csv", TRADE_DATA.replace(old, new))

    with pytest.raises(DataError, match=f"no such line: .*lines: {reason}.*Ask the site for those"):
        download(path, NOW)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "TradeData.csv", TRADE_DATA.rsplit(b",", 2)[0])

    with pytest.raises(DataError, match="it may be cut"):
        download(path, NOW)


def test_a_partner_that_has_no_code_is_named_with_its_line(tmp_path: Path) -> None:
    path = save(tmp_path / "TradeData.csv", TRADE_DATA.replace(b",842,USA", b",USA,USA"))

    with pytest.raises(DataError, match=r"line 2.*'USA' is not the code of a country"):
        download(path, NOW)


def test_other_headings_are_no_trade_data(tmp_path: Path) -> None:
    assert download(save(tmp_path / "a.csv", b"period,partnercode\n202608,842\n"), NOW) is None


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no workbook that can be read: "):
        download(save(tmp_path / "a", b"PK\x03\x04"), NOW)


SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
BOMBS = {
    "cells": (
        SHEET + b'<row><c r="ALL1"><v>1</v></c></row>' + 2_000 * b"<row/>",
        "2,000,000 cells",
    ),
    "bytes": (SHEET + bytes(65_000_000), "it unpacks to 65,000,112"),
}


@pytest.mark.parametrize(("sheet", "fault"), BOMBS.values(), ids=BOMBS)
def test_a_small_workbook_that_unpacks_to_gigabytes_is_refused(
    tmp_path: Path, sheet: bytes, fault: str
) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet1.xml", sheet + b"</sheetData></worksheet>")
    assert (tmp_path / "a.xlsx").stat().st_size < 200_000

    with pytest.raises(DataError, match=fault):
        download(tmp_path / "a.xlsx", NOW)


def test_a_file_that_is_too_large_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(203_000_000)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))

    with pytest.raises(
        DataError, match=r"a.csv has 203,000,000 bytes. Expected at most 64,000,000"
    ):
        download(path, NOW)


OTHERS = {
    "FRED as JSON": ('{"realtime_start": "2026-12-01"}', "a series of FRED", "figures FILE"),
    "FRED as CSV": ("DATE,DEXCHUS\n2026-11-02,7.1\n", "a series of FRED", "figures FILE"),
    "UN Comtrade": ('{"data": [{"reporterCode": 156}]}', "UN Comtrade's", "ingest comtrade"),
    "availability": ('{"data": [{"lastReleased": "2026"}]}', "UN Comtrade's", "ingest comtrade"),
    "GPR workbook": ("\xd0\xcf\x11\xe0\xa1\xb1", "an old workbook .*GPR", "figures FILE"),
    "GPR as CSV": ("month,GPR,GPRT\n2026-11,90,80\n", "the index of geopolitical", "figures FILE"),
    "Federal Register": ('{"results": [{"document_number": "1"}]}', "Register", "federal-register"),
    "HTS": ('[{"htsno": "8505.11.00"}]', "US tariff schedule", "ingest hts"),
}
"""What is no table of customs: its text, what it is called, and what takes it."""


@pytest.mark.parametrize(("text", "kind", "remedy"), OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("read", [lambda path: download(path, NOW), refuse_other_table])
def test_what_another_verb_takes_is_called_by_its_name(
    tmp_path: Path, text: str, kind: str, remedy: str, read: Callable[[Path], object]
) -> None:
    with pytest.raises(DataError, match=f"saved is .*{kind}.*{remedy}.*Nothing was taken over"):
        read(save(tmp_path / "saved", text.encode("latin-1")))


CUSTOMS = [
    ["数据年月", "商品编码", "贸易伙伴名称", "第一数量", "第一计量单位", "美元"],
    ["202608", "85051110", "美国", 512345, "千克", 28179000],
]


def test_customs_are_read_from_a_workbook_and_with_semicolons(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(tmp_path / "export.xlsx")
    sheet = book.add_worksheet()
    for number, cells in enumerate(CUSTOMS):
        sheet.write_row(number, 0, cells)
    book.close()
    for name, place, value in (("far", (1048575, 16383), 1), ("error", (1, 3), "#DIV/0!")):
        with xlsxwriter.Workbook(tmp_path / f"{name}.xlsx") as other:
            sheet = other.add_worksheet()
            for number, cells in enumerate(CUSTOMS):
                sheet.write_row(number, 0, cells)
            sheet.write_formula(*place, "=1/0", None, value)
    text = "\n".join(";".join(map(str, cells)) for cells in CUSTOMS)
    save(tmp_path / "export.csv", text.encode())
    cut = save(tmp_path / "cut.xlsx", (tmp_path / "export.xlsx").read_bytes()[:900])

    def load(name: str) -> pd.DataFrame:
        source = CustomsDownload(tmp_path / name, ReleaseCalendar({}), NOW, "export")
        return source.load().tables["observations"]

    pd.testing.assert_frame_equal(load("export.xlsx"), load("export.csv"))
    assert load("export.csv")["value"].tolist() == [512.345, 28.179]
    with pytest.raises(DataError, match=r"cut.xlsx is no workbook that can be read"):
        load(cut.name)
    with pytest.raises(DataError, match=r"a cell XFD1048576, far from the others"):
        load("far.xlsx")
    with pytest.raises(DataError, match=r"#DIV/0!"):
        load("error.xlsx")
