from pathlib import Path

import pandas as pd
import pytest

from sources.bundled.release_calendar import ReleaseCalendar
from sources.providers.customs import CustomsDownload
from store.errors import DataError
from store.schema.frame_schemas import validate

NOW = pd.Timestamp("2026-11-25T08:00:00Z")

CHINESE = """\
数据年月,商品编码,商品名称,贸易伙伴编码,贸易伙伴名称,第一数量,第一计量单位,第二数量,第二计量单位,美元
202608,85051110,稀土永磁铁,502,美国,"512,345",千克,0,-,"28,179,000"
202608,85051110,稀土永磁铁,304,德国,"401,002",千克,0,-,"20,050,100"
202608,85051110,稀土永磁铁,143,中国台湾,12,千克,0,-,900
,,合计,,,"913,359",,,,"48,230,000"
"""

ENGLISH = """\
Date,Commodity code,Commodity,Trading partner code,Trading partner,Quantity,Unit,US dollar
2026-08,85051110,"Magnets, rare earth",502,United States,512.345,Tons,28179000
2026-08,85051110,"Magnets, rare earth",133,"Korea, Republic of",-,Tons,100
"""


def download(
    folder: Path, text: str, *, encoding: str = "utf-8", **more: object
) -> CustomsDownload:
    path = folder / "export.csv"
    path.write_bytes(text.encode(encoding))
    return CustomsDownload(path, ReleaseCalendar({}), NOW, "export", **more)


def cells(source: CustomsDownload) -> dict[tuple[str, str, str], float]:
    frame = source.load().tables["observations"]
    validate(frame, "observations", where="test")
    keys = zip(
        frame["destination"],
        frame["period_from"].dt.strftime("%Y-%m"),
        frame["measure"],
        strict=True,
    )
    return dict(zip(keys, frame["value"].round(6), strict=True))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
def test_a_chinese_download_is_read_in_kilograms_and_dollars(tmp_path: Path, encoding: str) -> None:
    source = download(tmp_path, CHINESE, encoding=encoding)

    result = cells(source)

    file = source.load()
    assert (file.encoding, file.asked) == (encoding.removesuffix("-sig"), "exports in export.csv")
    assert result["USA", "2026-08", "net_weight_t"] == 512.345
    assert result["DEU", "2026-08", "value_musd"] == 20.0501
    assert result["TWN", "2026-08", "net_weight_t"] == 0.012


WIDE = "商品编码,贸易伙伴名称,2026年8月 千克,2026年8月(美元)\n85051110,德国,401002,20050100\n"


@pytest.mark.parametrize(
    "text",
    [CHINESE.replace("美元", name) for name in ("出口额(美元)", "美元 (FOB)", "FOB value (USD)")]
    + [WIDE],
)
def test_a_currency_is_known_in_brackets_or_not_and_of_a_column_a_month(
    tmp_path: Path, text: str
) -> None:
    result = cells(download(tmp_path, text))

    assert result["DEU", "2026-08", "net_weight_t"] == 401.002
    assert result["DEU", "2026-08", "value_musd"] == 20.0501


@pytest.mark.parametrize("line", [",,合计,,,", "202608,85051110,,,合计,", "合计,,,,,"])
def test_a_line_of_totals_is_the_world(tmp_path: Path, line: str) -> None:
    result = cells(download(tmp_path, CHINESE.replace(",,合计,,,", line)))

    assert result["WLD", "2026-08", "net_weight_t"] == 913.359
    assert result["WLD", "2026-08", "value_musd"] == 48.23


def test_an_english_download_is_read_in_tonnes_and_a_dash_is_no_amount(tmp_path: Path) -> None:
    result = cells(download(tmp_path, ENGLISH))

    assert result == {
        ("USA", "2026-08", "net_weight_t"): 512.345,
        ("USA", "2026-08", "value_musd"): 28.179,
        ("KOR", "2026-08", "value_musd"): 0.0001,
    }


def test_rows_are_known_from_the_release_of_detail_and_never_after_now(tmp_path: Path) -> None:
    text = ENGLISH + "2026-10,85051110,,502,United States,5,Tons,1000\n"
    late = pd.Timestamp("2026-11-19T08:00:00Z")

    frame = download(tmp_path, text).load().tables["observations"]
    early = CustomsDownload(tmp_path / "export.csv", ReleaseCalendar({}), late, "export").load()

    moments = frame.groupby("period_from")["available_at"].first().tolist()
    assert moments == [pd.Timestamp("2026-09-20", tz="UTC"), pd.Timestamp("2026-11-20", tz="UTC")]
    assert early.tables["observations"]["available_at"].max() == late


def test_a_stated_day_dates_all_rows_and_must_have_come(tmp_path: Path) -> None:
    stated = pd.Timestamp("2026-09-18")

    frame = download(tmp_path, ENGLISH, published_on=stated).load().tables["observations"]

    assert set(frame["available_at"]) == {stated.tz_localize("UTC")}
    with pytest.raises(DataError, match="--published-on 2026-12-01 lies in the future"):
        download(tmp_path, ENGLISH, published_on=pd.Timestamp("2026-12-01")).load()


def test_all_bad_lines_are_reported_at_once(tmp_path: Path) -> None:
    text = (
        "Date,Commodity code,Trading partner,Quantity,Unit\n"
        "202613,85051110,Japan,1,kg\n"
        "202608,85051110,Atlantis,1,kg\n"
        "202608,85051110,Japan,1.2.3,kg\n"
        "202608,85051110,Japan,1,pieces\n"
    )

    with pytest.raises(DataError) as caught:
        download(tmp_path, text).load()

    message = str(caught.value)
    assert message.startswith(
        "4 bad rows in export.csv: line 2, column 'Date': '202613' is not one"
    )
    for part in ("'Atlantis' is not a partner", "'1.2.3' is not a plain", "'pieces' is not a unit"):
        assert part in message


def test_a_weight_without_a_unit_asks_for_it(tmp_path: Path) -> None:
    text = "Date,Commodity code,Trading partner,Quantity\n202608,85051110,Japan,1500\n"

    with pytest.raises(DataError, match=r"No unit of weight in export.csv.*--unit kg"):
        download(tmp_path, text).load()

    result = cells(download(tmp_path, text, unit="kg"))
    assert result == {("JPN", "2026-08", "net_weight_t"): 1.5}


@pytest.mark.parametrize(
    "text", ["", "a,b,c\n1,2,3\n", "<html><body>412</body></html>"], ids=["empty", "other", "wall"]
)
def test_what_is_no_customs_table_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"No line of headings in the first 15 of export.csv"):
        download(tmp_path, text).load()


TITLE = "进口商品查询\n"


@pytest.mark.parametrize(
    ("text", "name", "word"),
    [
        (TITLE + CHINESE, "table.csv", "进口"),
        (TITLE + CHINESE, "export.csv", "进口"),
        (CHINESE.replace("美元", "进口美元"), "export.csv", "进口"),
        (CHINESE + "Source: imports of China\n", "export.csv", "imports"),
        (ENGLISH, "japan_imports_2026.csv", "imports"),
        (CHINESE, "2026年8月进口.csv", "进口"),
        ("进出口商品查询\n" + CHINESE, "table.csv", ""),
        ("出口商品查询\n" + CHINESE, "imports.csv", ""),
        ("Imports and exports\n" + ENGLISH, "important.csv", ""),
        (
            CHINESE.replace("商品名称", "贸易方式").replace("稀土永磁铁", "投资进口的设备"),
            "a.csv",
            "",
        ),
    ],
)
def test_what_is_called_imports_alone_is_refused_whatever_the_flow_says(
    tmp_path: Path, text: str, name: str, word: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    source = CustomsDownload(path, ReleaseCalendar({}), NOW, "export")

    if not word:
        assert len(source.load().tables) == 1
        return
    with pytest.raises(DataError, match=rf"says '{word}' in its .*Expected exports"):
        source.load()


@pytest.mark.parametrize("heading", ["人民币", "出口额(人民币)"])
def test_a_file_with_values_in_yuan_alone_is_refused(tmp_path: Path, heading: str) -> None:
    with pytest.raises(DataError, match=r"values in yuan alone.*Ask the site for US dollars"):
        download(tmp_path, CHINESE.replace("美元", heading)).load()
