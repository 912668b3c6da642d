"""Real files with a field dropped, a list nested or a type changed: read, or refused in a sentence.

The samples of other projects are read where MAGNETCAST_SAMPLES names their folder.
"""

import copy
import csv
import io
import json
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from sources.bundled.release_calendar import ReleaseCalendar
from sources.http import MonthRange
from sources.providers import LIVE, live_source
from sources.providers.customs import CustomsDownload, refuse_other_table
from sources.providers.downloads import download
from store.errors import DataError, SourceError, StoreError
from store.facts.writing import checked_tables
from store.settings import Settings
from tests.property.test_hostile_input import LONG
from tests.providers.server import Providers, at_once, small_world
from tests.unit.sources.test_downloads import TRADE_DATA

pytestmark = pytest.mark.slow

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")
SPAN = MonthRange.of("2024-05", "2024-06")
TRIES = LONG // 50 or 12
TYPES: tuple[object, ...] = (None, True, 5, -1.5, 1e400, "", "x", "1,000", [], [[]], {}, {"a": [1]})
"""What stands in the place of a part."""

FOLDER = os.environ.get("MAGNETCAST_SAMPLES", "")
SAMPLES = {
    "TradeData.csv": TRADE_DATA,
    **{
        path.name: path.read_bytes()
        for path in (sorted(Path(FOLDER).rglob("*")) if FOLDER else ())
        if path.suffix in {".json", ".xml", ".csv"} and path.stat().st_size < 200_000
    },
}


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Content with some parts gone, nested or of another type; its format stays."""
    text = content.decode("utf-8", "surrogateescape")
    try:
        tree = [json.loads(text)]
    except ValueError:
        if not text.lstrip().startswith("<"):
            return _other_cells(content.decode("latin-1"), chance).encode("latin-1")
        with suppress(ET.ParseError):
            return _other_elements(ET.fromstring(text), chance)  # noqa: S314 - our own
        return content[: chance.randrange(len(content))]
    for _ in range(chance.randint(1, 3)):
        _change(tree, chance)
    return json.dumps(tree[0] if tree else None, ensure_ascii=False).encode("utf-8", "replace")


def _change(tree: list[Any], chance: random.Random) -> None:
    """Change one part of a tree, found from its root by chance."""
    part: Any = tree
    while True:
        keys = list(part) if isinstance(part, dict) else range(len(part))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(part[key], dict | list) and part[key] and chance.random() < 0.8:
            part = part[key]
            continue
        how = chance.randrange(4)
        if how == 0:
            del part[key]
        elif how == 1:
            part[key] = [part[key]]
        else:
            part[key] = copy.deepcopy(chance.choice(TYPES))
        return


def _other_elements(root: ET.Element, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 3)):
        parents = [element for element in root.iter() if len(element)]
        if not parents:
            break
        parent = chance.choice(parents)
        child = chance.choice(list(parent))
        how = chance.randrange(4)
        if how == 0:
            parent.remove(child)
        elif how == 1:
            child.append(copy.deepcopy(child))
        elif how == 2:
            child.text, child.attrib = chance.choice((None, "x", "-5")), {}
        else:
            child.tag = "other"
    return ET.tostring(root)


def _other_cells(text: str, chance: random.Random) -> str:
    with suppress(csv.Error):
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
        for _ in range(chance.randint(1, 3)):
            row = chance.choice(rows)
            place = chance.randrange(len(row)) if row else 0
            if row and chance.random() < 0.3:
                del row[place]
            elif row:
                row[place] = str(chance.choice(TYPES))
        out = io.StringIO()
        csv.writer(out).writerows(rows)
        return out.getvalue()
    return text


def by_headings(path: Path) -> None:
    if (rows := download(path, NOW)) is not None:
        checked_tables(rows)


def of_customs(path: Path) -> None:
    refuse_other_table(path)
    checked_tables(CustomsDownload(path, ReleaseCalendar({}), NOW, "export").load())


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("read", [by_headings, of_customs])
def test_a_changed_file_is_read_or_refused_in_a_sentence(
    tmp_path: Path, name: str, read: Callable[[Path], None]
) -> None:
    chance = random.Random(name)  # noqa: S311 - no secret
    for _ in range(TRIES):
        path = tmp_path / name
        path.write_bytes(mutated(SAMPLES[name], chance))
        with suppress(DataError):
            read(path)


@pytest.mark.parametrize("name", LIVE)
def test_a_changed_answer_of_a_provider_is_read_or_refused_in_a_sentence(
    tmp_path: Path, name: str
) -> None:
    with Providers(small_world()) as providers:
        settings = Settings(home=tmp_path, **providers.urls())
        live_source(name, settings, at_once).fetch(SPAN, ingested_at=NOW)
    chance = random.Random(name)  # noqa: S311 - no secret
    bodies = [body for body in sorted(tmp_path.rglob("*.body")) if body.stat().st_size]
    answers = {body: body.read_bytes() for body in bodies}
    offline = live_source(name, settings.model_copy(update={"offline": True}), at_once)
    for _ in range(4 * TRIES):
        body = chance.choice(bodies)
        body.write_bytes(mutated(answers[body], chance))
        with suppress(DataError, SourceError, StoreError):
            checked_tables(offline.fetch(SPAN, ingested_at=NOW))
        body.write_bytes(answers[body])
