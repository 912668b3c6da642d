import shutil
from typing import get_args

import pytest

from flows.monitoring.system_health import examine, status_lines
from models.monitoring import AlarmName
from store.settings import PROJECT_ROOT
from tests.data.builders import at
from tests.flows.conftest import Published

LATER = at("2020-06-30")
"""A release and its days of grace after what was published."""


def test_the_service_is_reported_what_status_tells(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = shutil.disk_usage(published.settings.home)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: now)  # other tests write meanwhile
    output = status_lines(examine(published.settings, LATER))

    found = examine(published.settings, LATER)

    assert [str(found.headline), *map(str, found.lines)] == output[: 1 + len(found.lines)]
    alarms = [
        f"{'BROKEN' if one.is_broken else 'WARNING'} {one.name}: {one.words} "
        f"(docs/operations.md#{one.name})"
        for one in found.alarms
    ]
    assert alarms == output[1 + len(found.lines) :]
    assert "stale" in {one.name for one in found.alarms}


def test_the_runbook_has_a_section_for_each_alarm() -> None:
    text = (PROJECT_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    assert [name for name in get_args(AlarmName) if f"\n### {name}\n" not in text] == []
