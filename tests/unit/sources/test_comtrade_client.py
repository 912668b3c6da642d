"""UN Comtrade's own client against the stand-in: it answers as the provider does."""

from collections.abc import Iterator

import comtradeapicall
import pandas as pd
import pytest
import urllib3

from tests.providers.comtrade import ComtradeWorld
from tests.providers.server import Providers
from tests.providers.world import World

PROVIDER = "https://comtradeapi.un.org"
KEY = "k-4711"
ASKED = {
    "typeCode": "C", "freqCode": "M", "clCode": "HS", "period": "202403", "partner2Code": None,
    "customsCode": None, "motCode": None, "partnerCode": None, "cmdCode": "850511",
}  # fmt: skip


@pytest.fixture
def world() -> ComtradeWorld:
    return ComtradeWorld(first="2024-01", last="2025-12", partners=120)


@pytest.fixture(autouse=True)
def served(monkeypatch: pytest.MonkeyPatch, world: ComtradeWorld) -> Iterator[Providers]:
    """Send the client's calls, whose address is fixed, to the stand-in."""
    with Providers(World(comtrade=world)) as providers:
        real = urllib3.PoolManager.request

        def request(
            self: urllib3.PoolManager, method: str, url: str, **options: object
        ) -> urllib3.BaseHTTPResponse:
            here = url.replace(PROVIDER, f"{providers.url}/comtrade")
            return real(self, method, here, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(urllib3.PoolManager, "request", request)
        yield providers


def final(**changes: object) -> pd.DataFrame:
    asked = {**ASKED, "reporterCode": "156", "flowCode": "X", **changes}
    return comtradeapicall.getFinalData(KEY, **asked)


def preview(**changes: object) -> pd.DataFrame:
    asked = {**ASKED, "reporterCode": "156", "flowCode": "X", **changes}
    return comtradeapicall.previewFinalData(**asked)


def test_final_data_have_the_providers_47_columns_and_add_up(world: ComtradeWorld) -> None:
    rows = final(includeDesc=True)

    assert rows.shape[1] == 47
    tonnes = rows.set_index("partnerCode")["netWgt"]
    assert tonnes.drop(0).sum() == pytest.approx(tonnes[0])
    assert tonnes[842] == world.cell("202403", world.codes.index(842))[0]  # type: ignore[index]
    assert rows.set_index("partnerCode")["partnerDesc"][0] == "World"


def test_a_preview_is_the_same_without_a_key_and_without_descriptions() -> None:
    rows = preview()

    assert rows.shape[1] == 47
    assert rows["partnerDesc"].isna().all()
    assert rows["netWgt"].tolist() == final()["netWgt"].tolist()


def test_several_flows_goods_and_reporters_are_distinguished() -> None:
    rows = final(reporterCode="156,276,842", flowCode="M,X", cmdCode="850511,850519")

    groups = rows.groupby(["flowCode", "cmdCode", "reporterCode"]).size()
    assert groups["M"].to_dict() == {
        (good, code): 1 for good in ("850511", "850519") for code in (276, 842)
    }
    assert set(groups["X"].reset_index()["reporterCode"]) == {156}


def test_availability_is_whole_with_and_without_a_key() -> None:
    asked = {"typeCode": "C", "freqCode": "M", "clCode": "HS", "reporterCode": None}
    months = ",".join(f"2024{month:02d}" for month in range(1, 13))

    keyed = comtradeapicall.getFinalDataAvailability(KEY, period=months, **asked)
    public = comtradeapicall._getFinalDataAvailability(period=months, **asked)

    assert keyed.shape == (12 * 91, 20)
    pd.testing.assert_frame_equal(keyed, public)


def test_metadata_tell_the_latest_publication() -> None:
    asked = {"typeCode": "C", "freqCode": "M", "clCode": "HS", "period": "202403"}

    latest = comtradeapicall.getMetadata(KEY, reporterCode="156", showHistory=False, **asked)

    assert latest[["reporterDescription", "publicationNote"]].to_numpy().tolist() == [
        ["China", "Revised Data"]
    ]


def test_codes_are_listed_and_found() -> None:
    reporters = comtradeapicall.getReference("reporter").set_index("id")

    assert reporters.loc[842, "reporterCodeIsoAlpha3"] == "USA"
    assert reporters.loc[975, "isGroup"]
    assert comtradeapicall.convertCountryIso3ToCode("USA,DEU") == "276,842"


def test_a_wrong_key_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    asked = {**ASKED, "reporterCode": "156", "flowCode": "X"}

    assert comtradeapicall.getFinalData("wrong", **asked) is None
    assert "invalid subscription key" in capsys.readouterr().out


def test_too_many_rows_are_cut_and_counted(
    world: ComtradeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world.splits, world.most_rows = True, 50

    assert len(preview(period="202401,202402")) == 500
    assert len(final()) == 50
    assert len(preview(maxRecords=7)) == 7
    counted = comtradeapicall.getCountFinalData(
        KEY, **{**ASKED, "reporterCode": "156", "flowCode": "X"}
    )
    assert counted["count"].tolist() == [3 * 121]
    assert final(period=",".join(["202401"] * 13)) is None
    assert "at most 12 values" in capsys.readouterr().out
