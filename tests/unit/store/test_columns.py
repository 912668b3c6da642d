from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from store.schema.columns import UtcMoment


def test_a_moment_becomes_text_in_time_order_on_sqlite() -> None:
    beijing = datetime(2025, 4, 10, 8, 0, tzinfo=timezone(timedelta(hours=8)))

    kept = UtcMoment().process_bind_param(beijing, sqlite.dialect())

    assert kept == "2025-04-10T00:00:00.000000Z"


def test_a_moment_stays_a_moment_on_postgresql() -> None:
    beijing = datetime(2025, 4, 10, 8, 0, tzinfo=timezone(timedelta(hours=8)))

    kept = UtcMoment().process_bind_param(beijing, postgresql.dialect())

    assert kept == datetime(2025, 4, 10, tzinfo=UTC)


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="2025-04-10T00:00:00 has no time zone"):
        UtcMoment().process_bind_param(
            datetime(2025, 4, 10),  # noqa: DTZ001  # the very thing refused
            sqlite.dialect(),
        )


@pytest.mark.parametrize(
    "kept",
    ["2025-04-10T00:00:00.000000Z", datetime(2025, 4, 10, 8, tzinfo=timezone(timedelta(hours=8)))],
    ids=["text", "moment"],
)
def test_what_comes_out_is_utc(kept: str | datetime) -> None:
    out = UtcMoment().process_result_value(kept, sqlite.dialect())

    assert out is not None
    assert (out, out.tzinfo) == (datetime(2025, 4, 10, tzinfo=UTC), UTC)
