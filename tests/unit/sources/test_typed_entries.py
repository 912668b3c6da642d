from pathlib import Path

import pandas as pd
import pytest

from sources.bundled.policy_events import policy_events
from sources.bundled.published_figures import typed_figure
from sources.bundled.release_calendar import ReleaseCalendar
from store.errors import DataError
from store.facts.batch import FileRows
from store.schema.frame_schemas import validate
from tests.data.store_builders import EVENT, write_csv

NOW = pd.Timestamp("2026-11-25T08:00:00Z")


def typed(**changes: str) -> FileRows:
    result = {
        "period": "2026-08", "destination": "USA", "tonnes": "512",
        "source": "https://example.org/august", **changes,
    }  # fmt: skip
    return typed_figure(**result, calendar=ReleaseCalendar({}), ingested_at=NOW)


def as_yaml(path: Path, *entries: dict[str, str]) -> Path:
    text = "".join(
        "".join(f"{'-' if n == 0 else ' '} {k}: {v}\n" for n, (k, v) in enumerate(entry.items()))
        for entry in entries
    )
    path.write_text(text, encoding="utf-8")
    return path


def test_a_typed_figure_is_an_observation_known_from_its_day() -> None:
    frame = typed(published_on="2026-09-20").tables["observations"]

    (row,) = validate(frame, "observations", where="test").to_dict("records")
    assert (row["destination"], row["value"], row["unit"]) == ("USA", 512.0, "t")
    assert row["half_width"] == 0.5
    assert row["available_at"] == pd.Timestamp("2026-09-20", tz="UTC")
    assert (row["source"], row["source_url"]) == ("example.org", "https://example.org/august")


def test_a_typed_figure_without_a_day_counts_from_today() -> None:
    result = typed().tables["observations"]["available_at"].tolist()

    assert result == [pd.Timestamp("2026-11-25", tz="UTC")]


def test_everything_wrong_with_a_typed_figure_is_reported_at_once() -> None:
    with pytest.raises(DataError) as caught:
        typed(period="August", destination="Germany", tonnes="many")

    message = str(caught.value)
    assert "in the figure typed in" in message
    for part in ("'August' is not", "'Germany' is not", "'many' is not a plain number"):
        assert part in message


def test_events_in_yaml_say_the_same_as_in_csv(tmp_path: Path) -> None:
    entry = {name: value for name, value in EVENT.items() if value}
    ended = {**entry, "effective_to": "2025-12-31", "end_known_on": "2025-11-10"}

    from_csv = policy_events(write_csv(tmp_path / "e.csv", EVENT, ended))
    from_yaml = policy_events(as_yaml(tmp_path / "e.yaml", ended))

    pd.testing.assert_frame_equal(
        from_yaml.tables["policy_events"], from_csv.tables["policy_events"]
    )
    assert len(from_yaml.tables["policy_events"]) == 2


def test_every_bad_entry_of_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(
        "- event_id: a\n  severity: 9\n  colour: red\n- just words\n- event_id: {b: 1}\n",
        encoding="utf-8",
    )

    with pytest.raises(DataError) as caught:
        policy_events(path)

    message = str(caught.value)
    assert "4 bad rows in e.yaml" in message
    assert "line 1, column 'announced_on': '' is not filled" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("- a: [1\n", "e.yaml is not YAML: while parsing", id="broken"),
        pytest.param("just words", "e.yaml holds no entries", id="no list"),
        pytest.param("", "e.yaml holds no entries", id="empty"),
        pytest.param("- name: !!python/object/apply:os.getcwd []\n", "bad row", id="code"),
    ],
)
def test_what_is_no_list_of_entries_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(DataError, match=message):
        policy_events(path)
