"""Exchange rates and the risk index: monthly means, and when they are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sources.base import MonthRange
from sources.http.faults import RetryPolicy
from sources.providers.fx import ExchangeRates, monthly_means
from sources.providers.gpr import GeopoliticalRisk
from store.settings import Settings
from tests.providers.answers import Answer, Call
from tests.providers.rates import CSV
from tests.providers.server import Providers

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")


def patience() -> RetryPolicy:
    return RetryPolicy(sleep=lambda _: None, chance=lambda: 0.5, stopwatch=lambda: 0.0)


def rates(settings: Settings, first: str, last: str | None = None) -> pd.DataFrame:
    file = ExchangeRates(settings, patience()).fetch(MonthRange.of(first, last), now=NOW)
    return file.tables["covariates"]


def risk(settings: Settings, first: str, last: str, now: pd.Timestamp = NOW) -> pd.DataFrame:
    file = GeopoliticalRisk(settings, patience()).fetch(MonthRange.of(first, last), now=now)
    return file.tables["covariates"]


class TestExchangeRates:
    def test_a_month_is_the_mean_of_its_days(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        world = providers.world.rates
        days = pd.bdate_range("2026-06-01", "2026-06-30")

        result = rates(live_settings, "2026-06").set_index("name")["value"]

        assert result["fx_cny_per_usd"] == pytest.approx(np.mean([world.yuan(d) for d in days]))
        assert result["fx_usd_per_eur"] == pytest.approx(np.mean([world.dollars(d) for d in days]))

    def test_fred_tells_nearly_the_same(self, live_settings: Settings) -> None:
        ecb = rates(live_settings, "2026-06")
        fred = rates(live_settings.model_copy(update={"fx_provider": "fred"}), "2026-06")

        assert (ecb["name"].tolist(), set(ecb["source"])) == (fred["name"].tolist(), {"fx_ecb"})
        assert set(fred["source"]) == {"fx_fred"}
        np.testing.assert_allclose(ecb["value"], fred["value"], rtol=1e-3)

    def test_a_month_is_known_on_the_day_after(self, live_settings: Settings) -> None:
        assert set(rates(live_settings, "2026-06")["available_at"]) == {
            pd.Timestamp("2026-07-01", tz="UTC")
        }

    def test_a_month_not_over_has_no_mean(self, live_settings: Settings) -> None:
        result = rates(live_settings, "2026-10", "2026-11")

        assert result["period"].unique().tolist() == [pd.Timestamp("2026-10-01")]

    def test_a_month_of_few_days_has_no_mean(self) -> None:
        days = pd.bdate_range("2026-06-01", periods=9)
        daily = pd.DataFrame({"day": days, "name": "usd_per_eur", "rate": 1.1})

        assert monthly_means(daily, MonthRange.of("2026-06")).empty

    def test_an_empty_answer_is_no_data(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        fx = providers.providers["fx"]
        providers.providers["fx"] = replace(fx, answer=lambda _: Answer(b"", content_type=CSV))

        assert rates(live_settings, "2026-06").empty

    @pytest.mark.slow
    @pytest.mark.parametrize("office", ["ecb", "fred"])
    @pytest.mark.parametrize(
        ("cell", "left_out"), [("NaN", 0), ("N/A", 0), ("", 0), ("7,1", 1), ("inf", 1)]
    )
    def test_a_day_without_a_readable_rate_loses_no_other(
        self,
        providers: Providers,
        live_settings: Settings,
        office: str,
        cell: str,
        left_out: int,
    ) -> None:
        fx = providers.providers["fx"]

        def spoilt(call: Call) -> Answer:
            answer = fx.answer(call)
            lines = answer.body.decode().splitlines(keepends=True)
            columns = lines[3].rstrip().split(",")
            columns[7 if office == "ecb" else 1] = f'"{cell}"'
            return replace(
                answer, body="".join([*lines[:3], ",".join(columns) + "\n", *lines[4:]]).encode()
            )

        settings = live_settings.model_copy(update={"fx_provider": office})
        plain = rates(settings, "2026-06").set_index("name")["value"]
        providers.providers["fx"] = replace(fx, answer=spoilt)

        file = ExchangeRates(settings, patience()).fetch(MonthRange.of("2026-06"), now=NOW)

        result = file.tables["covariates"].set_index("name")["value"]
        np.testing.assert_allclose(result, plain, rtol=1e-2)
        assert result["fx_cny_per_usd"] != plain["fx_cny_per_usd"]
        lines_left = left_out * (1 if office == "ecb" else 2)
        assert file.ignored == (
            (f"{lines_left} days whose numbers cannot be read: left out",) if lines_left else ()
        )


class TestRisk:
    def test_a_month_that_cannot_be_read_loses_no_other(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        lines = (
            b"month,GPR,GPRT,GPRA,GPRC_CHN,GPRC_USA\n2024-01-01,1,2,3,4,5\n"
            b"2024-02-01,1,2,x,4,5\nhello,1,2,3,4,5\n2024-03-01,1,2,,4,5\n2024-04-01,1,2,3,4,5\n"
        )
        gpr = providers.providers["gpr"]
        providers.providers["gpr"] = replace(gpr, answer=lambda _: Answer(lines))

        file = GeopoliticalRisk(live_settings, patience()).fetch(
            MonthRange.of("2024-01", "2024-04"), now=NOW
        )

        months = (
            file.tables["covariates"].groupby("name")["period"].apply(lambda p: list(p.dt.month))
        )
        assert months["gpr"] == [1, 3, 4]
        assert months["gpr_acts"] == [1, 4]
        assert file.ignored == ("2 months whose numbers cannot be read: left out",)

    def test_series_have_names_units_and_values(self, live_settings: Settings) -> None:
        rows = risk(live_settings, "2024-03", "2024-03").set_index("name")

        assert rows["value"].to_dict() == {
            "gpr": 103.0, "gpr_acts": 101.5, "gpr_china": 0.53, "gpr_threats": 104.5,
            "gpr_usa": 2.03,
        }  # fmt: skip
        assert rows["unit"].to_dict() == {
            "gpr": "index", "gpr_acts": "index", "gpr_china": "pct", "gpr_threats": "index",
            "gpr_usa": "pct",
        }  # fmt: skip

    def test_a_month_is_dated_15_days_after_its_end(self, live_settings: Settings) -> None:
        assert set(risk(live_settings, "2024-03", "2024-03")["available_at"]) == {
            pd.Timestamp("2024-04-15", tz="UTC")
        }

    def test_a_month_not_over_has_no_row(self, live_settings: Settings) -> None:
        now = pd.Timestamp("2024-03-31T23:00", tz="UTC")

        result = risk(live_settings, "2024-02", "2024-04", now)

        assert result["period"].unique().tolist() == [pd.Timestamp("2024-02-01")]

    def test_a_file_of_commas_is_read_too(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        lines = b"month,GPR,GPRT,GPRA,GPRC_CHN,GPRC_USA\n2024-01-01,1,2,3,4,5\n"
        gpr = providers.providers["gpr"]
        providers.providers["gpr"] = replace(gpr, answer=lambda _: Answer(lines))

        rows = risk(live_settings, "2024-01", "2024-01")

        assert rows["value"].tolist() == [1.0, 3.0, 4.0, 2.0, 5.0]


@pytest.mark.network
@pytest.mark.parametrize("provider", ["ecb", "fred"])
def test_the_real_rates_have_the_documented_shape(tmp_path: Path, provider: str) -> None:
    settings = Settings(home=tmp_path).model_copy(update={"fx_provider": provider})

    assert len(rates(settings, "2024-06")) == 3


@pytest.mark.network
def test_the_real_index_has_the_documented_shape(tmp_path: Path) -> None:
    assert len(risk(Settings(home=tmp_path), "2024-06", "2024-06")) == 5
