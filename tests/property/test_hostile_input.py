# ruff: noqa: RUF001, E501  # hostile characters and long lists are the matter
"""Broken, odd and hostile files: a sentence each, and never a traceback.

``make fuzz`` sets MAGNETCAST_FUZZ to the number of tries of a long run, which differ each time.
"""

import os
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flows.cli import command_line
from sources.bundled.all_tables import rankings
from sources.bundled.policy_events import policy_events, tariff_rates
from sources.bundled.published_figures import published_figures
from sources.bundled.release_calendar import ReleaseCalendar, release_dates
from sources.files.covariates import read_covariates
from sources.files.file_reader import read_scenario
from sources.files.panel import read_panel, read_rows, sums_in
from sources.providers.customs import CustomsDownload
from sources.providers.downloads import download
from store.archive import extract_archive
from store.errors import DataError, SourceError, StoreError
from store.facts.batch import FileRows
from store.facts.writing import checked_tables
from store.schema.scenario import ScenarioContext
from store.settings import PROJECT_ROOT
from tests.data.builders import make_events
from tests.plain_flows import plain_flows
from tests.unit.sources.test_downloads import COMTRADE

LONG = int(os.environ.get("MAGNETCAST_FUZZ", "0"))
KNOWN = (DataError, SourceError, StoreError)
DATA = PROJECT_ROOT / "data"


def tries(few: int, share: float) -> settings:
    """Return the settings of a test: ``few`` tries, or its share of a long run.

    A long run does not shrink what it finds, which may take longer than all of its tries.
    """
    return settings(
        phases=[Phase.generate] if LONG else list(Phase),
        max_examples=max(1, int(LONG * share)) if LONG else few,
        derandomize=not LONG,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


HOSTILE = st.sampled_from(
    [
        "", " ", "9999-12", "9999-12-31", "10000-01", "0000-00", "0001-01", "1677-09", "2262-05",
        "2026-02-30", "-1", "-0", "1e308", "1e400", "nan", "inf", "-inf", "NaT", "None", "١٢", "１２",
        "1,000.5", "1.000", "0x10", "1_000", "5x", "=1+1", "＝1", "\x00", "\x1b[31m", "\u202e", "\u200b",
        "\ud7ff", "\ufeff", "a" * 70_000, '"', "'", "\n", ";", "&a", "*a", "!!python/object:os.system",
        "{[", "- " * 200, "[" * 200, "2026-13", "2026-W54", "2026-Q5", "2026Q1", "2026-01..1999-12",
        "\udce9", "..", "USA", "WLD", "EU27", "XXX", "../../etc/passwd", "%s%n", "{0}", "http://[::1", "\\", "1" * 400,
    ]
)  # fmt: skip
NOISE = st.one_of(HOSTILE, st.text(max_size=12), st.integers().map(str), st.floats().map(str))

PANEL = "destination,period,tonnes,part_of\n" + "".join(
    f"{name},2024-{month:02},{month},\n" for name in ("USA", "DEU") for month in range(1, 13)
)
ACT = (
    "- event_id: 2026-11-cn-test\n  announced_on: 2026-11-02\n  instrument: quota\n"
    "  direction: easing\n  severity: 1\n  destinations: [USA]\n"
    "  covers: [magnets]\n  covered_share: 1\n  covered_because: all\n"
)
TREE = "destination,part_of\nUSA,all\nDEU,EU;all\n"
CUSTOMS = "商品编码,贸易伙伴名称,日期,第一数量,第一计量单位,美元\n" + "".join(
    f"85051110,{name},202401,{number * 1000},千克,{number * 50000}\n"
    for number, name in enumerate(("美国", "德国", "韩国"), 2)
)
CELLS = {"A": ("year", "2026.08"), "B": ("hscd", "8505111000"), "C": ("statcd", "CN"),
         "D": ("impwgt", "9"), "E": ("x", "")}  # fmt: skip
SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>\n'
    + "".join(
        f'<c r="{place}{row + 1}" t="inlineStr"><is><t>{texts[row]}</t></is></c>\n'.join(
            ("<row>" * (place == "A"), "</row>" * (place == "E"))
        )
        for row in (0, 1)
        for place, texts in CELLS.items()
    )
    + "</sheetData></worksheet>"
)
COVARIATES = "destination,period,name,value,available_at\n" + "".join(
    f"USA,2024-{month:02},rate,{month},2024-01-01\n" for month in range(1, 13)
)
SCENARIO = (
    "name: a\ntariffs:\n  - {importer: USA, rate_pct: 40, effective_from: 2027-01-01}\n"
    "events:\n  - {event_id: x, instrument: quota, destinations: [WLD], effective_from: 2027-01-01}\n"
)
NOW = pd.Timestamp("2026-11-28", tz="UTC")
PANEL_TABLE = read_panel(pd.read_csv(StringIO(PANEL))).table
GROUND = ScenarioContext(
    NOW, make_events({"event_id": "2018-09-control"}), ("USA", "DEU", "WLD"), ("USA",)
)


def head(name: str) -> str:
    return "".join((DATA / name).read_text(encoding="utf-8").splitlines(keepends=True)[:4])


def loaded(rows: FileRows) -> None:
    checked_tables(rows)


def downloaded(path: Path) -> None:
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path.with_suffix(".zip"), "w") as book:
            book.writestr("xl/worksheets/sheet1.xml", path.read_bytes())
        path = path.with_suffix(".zip")
    if (rows := download(path, NOW)) is not None:
        loaded(rows)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "panel.csv": (PANEL, read_panel),
    "panel.csv.gz": (PANEL, read_panel),
    "panel.parquet": (PANEL, read_panel),
    "figures.csv": (
        head("published_figures.csv"),
        lambda path: loaded(published_figures(path, ReleaseCalendar({}))),
    ),
    "events.csv": (head("policy_events.csv"), lambda path: loaded(policy_events(path))),
    "tariffs.csv": (head("tariff_rates.csv"), lambda path: loaded(tariff_rates(path))),
    "releases.csv": (head("release_dates.csv"), lambda path: loaded(release_dates(path))),
    "rankings.csv": (
        head("rankings.csv"),
        lambda path: loaded(rankings(path, ReleaseCalendar({}), {})),
    ),
    "events.yaml": (ACT, lambda path: loaded(policy_events(path))),
    "customs.csv": (
        CUSTOMS,
        lambda path: loaded(CustomsDownload(path, ReleaseCalendar({}), NOW, "export").load()),
    ),
    **{name: (text, downloaded) for name, text in {"d.csv": COMTRADE, "d.xlsx": SHEET}.items()},
    "covariates.csv": (COVARIATES, lambda path: read_covariates(path, table=PANEL_TABLE)),
    "scenario.yaml": (SCENARIO, lambda path: read_scenario(path.name, path.read_bytes(), GROUND)),
    "tree.csv": (TREE, lambda path: sums_in(read_rows(path, "tree"), "tree")),
    "backup.tar.gz": ("", lambda path: extract_archive(path, path.with_name("out"))),
}


@st.composite
def broken(draw: st.DrawFn, text: str) -> bytes:
    """A file with some of its cells replaced, its bytes flipped or its end cut off."""
    lines = text.splitlines(keepends=True)
    for _ in range(draw(st.integers(0, 3))):
        if not lines:
            break
        place = draw(st.integers(0, len(lines) - 1))
        mark = draw(st.sampled_from([",", ": ", "-", "\n"]))
        cells = lines[place].split(mark)
        cells[draw(st.integers(0, len(cells) - 1))] = draw(NOISE)
        lines[place] = mark.join(cells)
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-16-le", "gb18030"]))
    errors = "surrogatepass" if encoding.startswith("utf") else "replace"
    content = bytearray("".join(lines).encode(encoding, errors))
    for _ in range(draw(st.integers(0, 2))):
        if content:
            content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


@pytest.mark.parametrize("name", READERS)
def test_every_reader_reads_or_refuses_in_a_sentence(name: str, tmp_path: Path) -> None:
    text, read = READERS[name]

    @tries(15, share=0.05)
    @given(broken(text))
    def attempt(content: bytes) -> None:
        file = tmp_path / name
        file.write_bytes(content)
        with suppress(*KNOWN):
            read(file)

    attempt()


@pytest.fixture(autouse=True, scope="module")
def without_prefect() -> Iterator[None]:
    with plain_flows():
        yield


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


@pytest.mark.parametrize("month", ["9999-12", "2262-05", "1677-09", "10000-01"])
def test_a_month_out_of_range_is_refused_in_a_sentence(
    fuzzed: Path, month: str, caplog: pytest.LogCaptureFixture
) -> None:
    columns = head("published_figures.csv").splitlines()[0]
    for day in ("", "9999-12-31"):
        row = f"{month},USA,net_weight_t,5,reported,,{day},https://example.org,x,"
        (fuzzed / "months.csv").write_text(f"{columns}\n{row}\n")
        caplog.clear()

        call(fuzzed, ["ingest", "figures", str(fuzzed / "months.csv")])

        assert "error: " in caplog.text
        assert month in caplog.text
        assert "quarantine" not in caplog.text


def test_a_name_that_is_no_text_is_refused_in_a_sentence(
    fuzzed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    call(fuzzed, ["ingest", "figures", "caf\udce9.csv"])

    assert r"'caf\udce9.csv' is not UTF-8 text" in caplog.text


def call(home: Path, words: Sequence[str]) -> None:
    """Call the command as a shell does; what is no exit is a traceback."""
    with pytest.MonkeyPatch.context() as patched, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Cyclopts application invoked without tokens")
        for variable, place in (("HOME", home / "var"), ("ARTIFACT_DIR", home / "artifacts")):
            patched.setenv(f"MAGNETCAST_{variable}", str(place))
        patched.setenv("MAGNETCAST_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}")
        patched.setenv("MAGNETCAST_OFFLINE", "true")
        patched.setenv("PREFECT_HOME", str(home / "prefect"))  # chosen: no server is started
        patched.chdir(home)
        patched.setattr(sys, "argv", ["magnetcast", *words])
        with suppress(SystemExit):
            command_line.main()
