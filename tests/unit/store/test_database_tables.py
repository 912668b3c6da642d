from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import sqlite

from store.schema.database_tables import UtcMoment


def test_a_moment_becomes_text_in_time_order_on_sqlite() -> None:
    beijing = datetime(2025, 4, 10, 8, 0, tzinfo=timezone(timedelta(hours=8)))

    kept = UtcMoment().process_bind_param(beijing, sqlite.dialect())

    assert kept == "2025-04-10T00:00:00.000000Z"


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="2025-04-10T00:00:00 has no time zone"):
        UtcMoment().process_bind_param(
            datetime(2025, 4, 10),  # noqa: DTZ001  # the very thing refused
            sqlite.dialect(),
        )
