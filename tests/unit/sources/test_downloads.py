import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import xlsxwriter

from sources.bundled.release_calendar import ReleaseCalendar
from sources.checks import objections
from sources.providers.customs import CustomsDownload, refuse_other_table
from sources.providers.downloads import download, month_in
from store.errors import DataError
from store.schema.frame_schemas import validate
from store.schema.frames import typed_frame

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
JAPAN = (
    "Exp or Imp,Year,HS,Country,Unit1,Unit2,Quantity1-Year,Quantity2-Year,Value-Year,"
    + ",".join(f"Quantity1-{month},Quantity2-{month},Value-{month}" for month in MONTHS)
    + "\n2,2026,'850511000',105,  ,KG,0,0,0,"
    + ",".join(f"0,{350_123 if month == 'Aug' else 0},0" for month in MONTHS)
)
COMTRADE = (
    "typeCode,freqCode,period,reporterCode,reporterDesc,flowCode,partnerCode,partnerDesc,"
    "partner2Code,cmdCode,customsCode,motCode,qtyUnitCode,qty,netWgt,primaryValue\n"
    "C,M,202608,156,China,X,842,USA,0,850511,C00,0,8,512345,512345,28179000,\n"
    "C,M,202608,156,China,X,842,USA,0,850511,C00,2100,8,5,5,9,\n"
    "C,M,202608,156,China,X,792,T\xfcrkiye,0,850511,C00,0,8,,,77000,\n"
    "C,A,2025,156,China,X,842,USA,0,850511,C00,0,8,1,1,1,\n"
)
EUROSTAT = (
    "DATAFLOW,LAST UPDATE,freq,reporter,partner,product,flow,indicators,TIME_PERIOD,OBS_VALUE\n"
    "ESTAT:DS-045409(1.0),x,M,DE,CN,85051110,1,QUANTITY_IN_100KG,2026-08,4010.02\n"
    "ESTAT:DS-045409(1.0),x,M,DE,CN,85051110,1,VALUE_IN_EUROS,2026-08,20050100\n"
    "ESTAT:DS-045409(1.0),x,M,DE,JP,85051110,1,VALUE_IN_EUROS,2026-08,5\n"
)
BROWSER = EUROSTAT.replace(
    ",DE,CN,85051110,1,Q", ",DE:Germany,CN:China,85051110:Magnets,1:IMPORT,Q"
)
KOREA = (
    "<response><body><items><item><year>총계</year><hsCd>-</hsCd><statCd>-</statCd>"
    "<impWgt>9</impWgt></item><item><year>2026.08</year><hsCd>8505111000</hsCd><statCd>CN</statCd>"
    "<impWgt>21500</impWgt></item></items></body></response>"
)
UK = (
    '{"value": [{"MonthId": 202608, "FlowTypeId": 3, "CommodityId": 85051110, "CountryId": 720,'
    ' "PortId": 1, "Value": 9, "NetMass": 1500}, {"MonthId": 202608, "FlowTypeId": 3,'
    ' "CommodityId": 85051110, "CountryId": 720, "PortId": 2, "Value": 9, "NetMass": 2000}]}'
)
TAIWAN = (
    "進出口別,日期,貨品號列,國家,重量(公斤)\n"
    "進口,115年08月,8505.11.00.00-1,中國大陸,43210\n"
    "出口,115年08月,8505.11.00.00-1,中國大陸,1\n"
)
CENSUS = (
    "District-level Imports\n\nCommodity,Country,Time,Customs Value (Gen) ($US),Quantity 1 (Gen)\n"
    '8505110070 Sintered NdFeB,China,August 2026,"28,179,000","512,345"\n'
    '8505110070 Sintered NdFeB,China,2026,"28,179,000","512,345"\n'
)
EXPORTS = (
    "850511 USA net_weight_t 512.345, 850511 USA value_musd 28.179, 850511 TUR value_musd 0.077"
)
IMPORTS = EXPORTS.replace("net_weight_t", "mirror_import_t").replace("value_m", "mirror_import_m")
GERMANY = "CN85051110 DEU mirror_import_t 401.002, CN85051110 DEU mirror_import_meur 20.0501"
MIRROR = re.sub(r",156,China,X,(\d+,[^,]+)", r",\1,M,156,China", COMTRADE)
FILES = {
    "TradeData.csv": (COMTRADE.encode("latin-1"), EXPORTS),
    "mirror.csv": (MIRROR.encode("latin-1"), IMPORTS),
    "eurostat.csv": (EUROSTAT.encode(), GERMANY),
    "browser.csv": (BROWSER.encode(), GERMANY),
    "census.csv": (CENSUS.encode(), IMPORTS.rpartition(",")[0].replace("850511", "US8505110070")),
    "japan.csv": (JAPAN.encode(), "JP850511000 JPN mirror_import_t 350.123"),
    "korea.xml": (KOREA.encode(), "KR8505111000 KOR mirror_import_t 21.5"),
    "uk.json": (UK.encode(), "GB85051110 GBR mirror_import_t 3.5"),
    "taiwan.csv": (TAIWAN.encode("big5"), "TW8505110000 TWN mirror_import_t 43.21"),
}


def save(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_known_by_its_headings_and_read_to_the_kilogram(
    tmp_path: Path, name: str
) -> None:
    content, expected = FILES[name]

    file = download(save(tmp_path / name, content), NOW)

    rows = validate(file.tables["observations"], "observations", where="test")
    found = rows[["commodity", "destination", "measure", "value"]].round(6).astype(str)
    assert set(found.agg(" ".join, axis=1)) == set(expected.split(", "))
    assert set(rows["period_from"]) == {pd.Timestamp("2026-08-01")}
    assert (rows["available_at"] > pd.Timestamp("2026-09-01", tz="UTC")).all()
    assert (rows["available_at"] <= NOW).all()
    assert file.asked.endswith(f", in {name}")
    assert objections(file, stored=typed_frame([], "observations"), ingested_at=NOW) == ()


GOODS = rb"8505\.?11(?=[\d.,]|<)", lambda found: found[0].replace(b"11", b"19")
DIRECTION = {
    "TradeData.csv": (rb",X,", b",M,"), "mirror.csv": (rb",M,156", b",X,156"),
    "eurostat.csv": (rb",1,(?=[QV])", b",2,"), "browser.csv": (rb",1(?=[:,]\w*,?[QV])", b",2"),
    "japan.csv": (rb"2,2026,", b"1,2026,"), "uk.json": (rb'"FlowTypeId": 3', b'"FlowTypeId": 4'),
    "taiwan.csv": ("進口,".encode("big5"), "出口,".encode("big5")),
    "korea.xml": (rb">CN<", b">JP<"), "census.csv": (rb"China", b"Japan"),
}  # fmt: skip
"""What makes each file one of the other direction, or of another partner where it has none."""


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("wrong", ["goods", "direction"])
def test_what_holds_nothing_of_ours_is_refused_with_what_to_do(
    tmp_path: Path, name: str, wrong: str
) -> None:
    pattern, new = GOODS if wrong == "goods" else DIRECTION[name]
    path = save(tmp_path / name, re.sub(pattern, new, FILES[name][0]))

    what = "other goods" if wrong == "goods" else "another "
    with pytest.raises(DataError, match=f"no such line: .*lines: {what}.*Ask the site for those"):
        download(path, NOW)


@pytest.mark.parametrize("name", FILES)
def test_a_cut_file_is_refused(tmp_path: Path, name: str) -> None:
    last = rb',(?:"[^"]*"|[^,"]*)[,\s]*$' if name.endswith("csv") else rb".{4}$"
    path = save(tmp_path / name, re.sub(last, b"", FILES[name][0]))

    with pytest.raises(DataError, match=r"it may be cut|Expected a whole file"):
        download(path, NOW)


BROKEN = {
    "numbers": b'{"value": [1, 2]}', "one number": b'{"value": 5}', "no value": b"{}",
    "deep": b'{"value":' * 9_000, "XML": b"<item>", "workbook": b"PK\x03\x04",
}  # fmt: skip


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_has_no_records_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"cannot be read: |is no workbook that can be read: "):
        download(save(tmp_path / "a", content), NOW)


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


KEY_ERROR = (
    "<OpenAPI_ServiceResponse><cmmMsgHeader><errMsg>SERVICE ERROR</errMsg><returnAuthMsg>"
    "SERVICE_KEY_IS_NOT_REGISTERED_ERROR</returnAuthMsg></cmmMsgHeader></OpenAPI_ServiceResponse>"
)
OTHERS = {
    "FRED as JSON": ('{"realtime_start": "2026-12-01"}', "a series of FRED", "figures FILE"),
    "FRED as CSV": ("DATE,DEXCHUS\n2026-11-02,7.1\n", "a series of FRED", "figures FILE"),
    "UN Comtrade": ('{"data": [{"reporterCode": 156}]}', "UN Comtrade's", "ingest comtrade"),
    "availability": ('{"data": [{"lastReleased": "2026"}]}', "UN Comtrade's", "ingest comtrade"),
    "US Census": ('[["GEN_VAL_MO","time"],["1","2","3"]]', "US Census", "ingest census"),
    "GPR workbook": ("\xd0\xcf\x11\xe0\xa1\xb1", "an old workbook .*GPR", "figures FILE"),
    "GPR as CSV": ("month,GPR,GPRT\n2026-11,90,80\n", "the index of geopolitical", "figures FILE"),
    "Korean key": (KEY_ERROR, "its key .SERVICE_KEY_IS_NOT_REGISTERED_ERROR", "Register the key"),
    "Federal Register": ('{"results": [{"document_number": "1"}]}', "Register", "federal-register"),
    "HTS": ('[{"htsno": "8505.11.00"}]', "US tariff schedule", "ingest hts"),
    "SDMX": ("<mes:StructureSpecificData xmlns:mes='x'/>", "Eurostat's SDMX", "ingest comext"),
}
"""What is no table of customs: its text, what it is called, and what takes it."""


@pytest.mark.parametrize(("text", "kind", "remedy"), OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("read", [lambda path: download(path, NOW), refuse_other_table])
def test_what_another_verb_takes_is_called_by_its_name(
    tmp_path: Path, text: str, kind: str, remedy: str, read: Callable[[Path], object]
) -> None:
    with pytest.raises(DataError, match=f"saved is .*{kind}.*{remedy}.*Nothing was taken over"):
        read(save(tmp_path / "saved", text.encode("latin-1")))


def test_a_thousand_dollars_are_read_and_what_is_not_is_named(tmp_path: Path) -> None:
    korea = "기간,HS코드,국가,수입 중량(t),수입 금액(천$),수입 건수\n"
    korea += "2026.08,8505111000,중국,2.5,970,3\n"
    taiwan = "進出口別,日期,貨品號列,國家,重量(公斤),新臺幣(千元)\n"
    taiwan += "進口,115年08月,8505.11.00.00-1,中國大陸,43210,52000\n"
    census = CENSUS.replace("Quantity 1 (Gen)", "Quantity 1 (Gen) (Default Member),Cards Value")
    census = census.replace('"512,345"', '"512,345",7')

    files = [
        download(save(tmp_path / name, text.encode()), NOW)
        for name, text in (("k.csv", korea), ("t.csv", taiwan), ("c.csv", census))
    ]

    assert [sorted(file.tables["observations"]["value"].round(3)) for file in files if file] == [
        [0.97, 2.5], [43.21], [28.179, 512.345],
    ]  # fmt: skip
    assert [file.ignored[-1] for file in files[1:] if file] == [
        "columns of amounts: 新臺幣(千元)", "columns of amounts: cards value",
    ]  # fmt: skip


def test_a_weight_that_is_suppressed_is_none(tmp_path: Path) -> None:
    suppressed = UK.replace('"NetMass": 1500', '"NetMass": 1500, "SuppressionIndex": 3')
    text = suppressed.replace('"NetMass": 2000', '"NetMass": 2000, "SuppressionIndex": 0')

    file = download(save(tmp_path / "uk.json", text.encode()), NOW)

    assert file.tables["observations"]["value"].tolist() == [2.0]
    assert file.ignored[0] == "1 lines: another suppressionindex"


PAGES = {
    "uk.json": UK.replace('{"value"', '{"@odata.nextLink": "https://x/?$skip=2", "value"'),
    "korea.xml": KOREA.replace("<items>", "<totalCount>40</totalCount><items>"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_several_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="it is one page, of 2 records of"):
        download(save(tmp_path / name, PAGES[name].encode()), NOW)


def test_records_need_not_have_the_same_fields(tmp_path: Path) -> None:
    file = download(
        save(tmp_path / "uk.json", UK.replace(' "NetMass": 1500', ' "a": null').encode()), NOW
    )

    assert file.tables["observations"]["value"].tolist() == [2.0]


@pytest.mark.parametrize("text", ["2026", "2026.8", "총계", "202613", "Total 2026", ""])
def test_what_is_no_single_month_or_no_table_of_these_is_none(tmp_path: Path, text: str) -> None:
    assert month_in(text) == ""
    assert download(save(tmp_path / "a.csv", f"<html>\n{text}\n".encode()), NOW) is None


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
