import csv
import io
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.bundled.release_calendar import ReleaseCalendar
from sources.checks import objections
from sources.providers.customs import CustomsDownload, partner_place
from store.errors import DataError
from store.facts.batch import FileRows
from store.facts.commodities import partner_codes
from store.schema.frame_schemas import validate
from store.schema.frames import typed_frame
from store.vocabulary import WORLD
from tests.examples import few

NOW = pd.Timestamp("2026-11-25T08:00:00Z")

HEADINGS = (
    "数据年月", "贸易伙伴编码", "贸易伙伴名称", "商品编码", "商品名称", "第一数量", "第一计量单位",
    "第二数量", "第二计量单位", "美元",
)  # fmt: skip


def line_of(
    code: str = "502",
    name: str = "美国",
    *,
    month: str = "202608",
    kg: str = "1000",
    usd: str = "50000",
) -> list[str]:
    return [month, code, name, "85051110", "稀土永磁铁", kg, "千克", "0", "?", usd]


def text_of(*lines: list[str], end: str = "\r\n") -> str:
    """Write a table as the site does: every cell quoted, and a comma at the end of each line."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([HEADINGS, *lines])
    return out.getvalue().replace("\n", f",{end}")


def load(folder: Path, content: str | bytes) -> FileRows:
    path = folder / "export.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("gb18030"))
    file = CustomsDownload(path, ReleaseCalendar({}), NOW, "export").load()
    validate(file.tables["observations"], "observations", where="test")
    return file


def weights(file: FileRows) -> dict[str, float]:
    frame = file.tables["observations"]
    own = frame[frame["measure"].eq("net_weight_t") & frame["kind"].eq("reported")]
    return dict(zip(own["destination"], own["value"].round(6), strict=True))


def world(file: FileRows) -> list[list[object]]:
    frame = file.tables["observations"]
    wanted = frame["destination"].eq(WORLD) & frame["measure"].eq("net_weight_t")
    return frame.loc[wanted, ["value", "kind", "usable", "note"]].to_numpy().tolist()


@pytest.mark.parametrize(
    ("code", "name", "place"),
    [
        ("423", "危地马拉", "GTM"), ("623", "法属波利尼西亚", "PYF"), ("417", "库腊索岛", "CUW"),
        ("612", "社会群岛", "PYF"), ("328", "罗马尼亚", "ROU"), ("701", "国(地)别不详", "C701"),
        ("702", "联合国及机构和国际组织", "C702"), ("499", "拉丁美洲其他国家(地区)", "C499"),
        ("207", "加那利群岛", "C207"), ("210", "塞卜泰(休达)", "C210"), ("502", "", "USA"),
        ("", "Korea, Rep.", "KOR"), ("", "Congo, DR", "COD"), ("", "Cabo Verde", "CPV"),
        ("", "Palestine", "PSE"), ("", "Curaçao", "CUW"), ("", "Réunion", "REU"),
        ("354", "马其顿", "MKD"), ("", "The Netherlands", "NLD"), ("", "Bahamas, The", "BHS"),
         ("987", "德国", "DEU"),
    ],
)  # fmt: skip
def test_a_partner_is_known_by_its_code_or_else_its_name(code: str, name: str, place: str) -> None:
    assert partner_place(name, code) == place


def test_every_code_of_the_table_and_both_its_names_are_one_place() -> None:
    codes = partner_codes()

    assert len({partner.code for partner in codes}) == len(codes) == 245
    for partner in codes:
        asked = [("", partner.code), (partner.name_zh, ""), (partner.name_en, "")]
        assert {partner_place(*words) for words in asked} == {partner.destination}


def test_a_code_that_contradicts_its_name_is_refused(tmp_path: Path) -> None:
    wrong = "line 2, column '贸易伙伴名称': '502 德国' is not the partner of code 502, which is USA"

    with pytest.raises(DataError, match=wrong):
        load(tmp_path, text_of(line_of("502", "德国"), line_of("304", "德国")))


def test_a_partner_of_an_unknown_code_has_a_place_that_the_checks_hold(tmp_path: Path) -> None:
    file = load(tmp_path, text_of(line_of(), line_of("987", "某国", kg="7000", usd="350000")))

    assert weights(file) == {"USA": 1.0, "C987": 7.0}
    (reason,) = objections(file, stored=typed_frame([], "observations"), ingested_at=NOW)
    assert reason.startswith("Partner codes of customs are unknown: 987, in export.csv")


def test_lines_of_two_downloads_count_once_and_contradictions_are_refused(tmp_path: Path) -> None:
    once, other = line_of(), line_of("304", "德国")
    imports = [*line_of("304", "德国")[:3], "85051190", *line_of()[4:]]

    file = load(tmp_path, text_of(once, other, list(HEADINGS), once, imports))

    assert weights(file) == {"USA": 1.0, "DEU": 1.0}
    assert set(file.ignored) == {
        "1 lines: headings once more",
        "1 lines: repeated in the file",
        "1 lines: other goods than 85051110",
    }
    with pytest.raises(DataError, match=r"2 bad rows.*304 has several amounts for 2026-08"):
        load(tmp_path, text_of(once, other, line_of("304", "德国", kg="9")))


@pytest.mark.parametrize("kg", ["1000", "9"])
def test_two_names_of_one_destination_are_refused_with_both_lines(tmp_path: Path, kg: str) -> None:
    text = text_of(line_of("304", "德国"), line_of("", "Federal Republic of Germany", kg=kg))

    with pytest.raises(DataError, match=r"2 bad rows.*line 2, 304 .*line 3, Federal .* of DEU"):
        load(tmp_path, text)


def test_two_codes_of_one_destination_are_added_up(tmp_path: Path) -> None:
    text = text_of(line_of("409", "博内尔"), line_of("436", "萨巴"))

    assert weights(load(tmp_path, text)) == {"BES": 2.0}


def test_a_unit_that_contradicts_its_heading_is_refused(tmp_path: Path) -> None:
    text = "月份,商品编码,贸易伙伴名称,数量(千克),单位\n202608,85051110,德国,1205,吨\n"

    with pytest.raises(DataError, match=r"1 bad row.*line 2, .*'吨' is not the unit of column"):
        load(tmp_path, text)


def test_a_month_split_otherwise_is_the_same_figure(tmp_path: Path) -> None:
    headings = "月份,商品编码,贸易伙伴名称,贸易方式,数量,单位,美元\n"
    whole = headings + "202608,85051110,美国,,1001,千克,50001\n"
    split = whole.replace(
        ",,1001,千克,50001", ",a,700,千克,35000\n202608,85051110,美国,b,301,千克,15001"
    )

    frames = [load(tmp_path, text).tables["observations"] for text in (whole, split)]

    pd.testing.assert_frame_equal(*frames)


BROKEN = {
    "month": '"202613","304","德国","85051110","x","1","千克","0","?","1",',
    "number": '"202608","304","德国","85051110","x","1.2.3","千克","0","?","1",',
    "unit": '"202608","304","德国","85051110","x","5","件","0","?","1",',
    "partner": '"202608","","某国","85051110","x","5","千克","0","?","1",',
    "quote": '"202608","304","德国","85051110","x","5,"千克","0","?","1",',
    "short": '"202608","304"',
    "bytes": b'"202608","304","\xb5\xc2\xff","85051110","x","5",',
}

PARTNER = st.sampled_from([p for p in partner_codes() if p.destination != "CHN"])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], dict[str, float]]:
    """Draw the lines of an honest table, and the tonnes they add up to by place."""
    partners = draw(st.lists(PARTNER, max_size=8, unique_by=lambda partner: partner.code))
    lines, tonnes = [], Counter[str]()
    for partner in partners:
        kg = draw(st.integers(1, 3_000_000))
        name = draw(st.sampled_from([partner.name_zh, partner.name_en]))
        code = draw(st.sampled_from([partner.code, ""]))
        number = draw(st.sampled_from([f"{kg}", f"{kg:,}"]))
        lines.append(line_of(code, name, kg=number, usd=f"{50 * kg:,}"))
        tonnes[partner.destination] += kg / 1000
    return lines, dict(tonnes)


@few(20)
@given(
    table=tables(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"]),
    end=st.sampled_from(["\n", "\r\n"]),
    blank=st.integers(0, 9),
)
def test_every_honest_table_is_read(
    table: tuple[list[list[str]], dict[str, float]],
    encoding: str,
    end: str,
    blank: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    lines, tonnes = table
    rows = text_of(*lines, end=end).split(end)
    rows.insert(min(blank, len(rows)), "")

    file = load(tmp_path_factory.mktemp("honest"), end.join(rows).encode(encoding))

    assert weights(file) == pytest.approx(tonnes)


@few(20)
@given(
    table=tables().filter(lambda table: len(table[0]) > 0),
    broken=st.sampled_from(sorted(BROKEN)).map(BROKEN.__getitem__),
    place=st.integers(1, 9),
)
def test_a_broken_line_is_named_and_nothing_is_read(
    table: tuple[list[list[str]], dict[str, float]],
    place: int,
    broken: str | bytes,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows = [row.encode("gb18030") for row in text_of(*table[0]).split("\r\n")]
    place = min(place, len(rows) - 1)
    rows.insert(place, broken if isinstance(broken, bytes) else broken.encode("gb18030"))

    with pytest.raises(DataError, match=rf"line {place + 1}\b"):
        load(tmp_path_factory.mktemp("broken"), b"\r\n".join(rows))
