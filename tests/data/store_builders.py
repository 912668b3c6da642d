"""Builders of small, valid frames and files for the store and the sources."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine

from store.database import writing
from store.facts.batch import Batch, FileRows
from store.facts.writing import PROPOSALS, add_proposals
from store.publications.panels import StoredPanel
from store.schema.frame_schemas import validate
from store.schema.frames import DATE_DTYPE, MOMENT_DTYPE
from store.vocabulary import QUANTILE_COLUMNS

FIGURE = {
    "period": "2025-06", "destination": "USA", "measure": "net_weight_t", "value": "353",
    "kind": "reported", "derivation": "", "published_on": "2025-07-20",
    "source_url": "https://example.org/june", "source_name": "Example News", "note": "",
}  # fmt: skip

EVENT = {
    "event_id": "2025-04-control", "announced_on": "2025-04-04", "effective_from": "2025-04-04",
    "effective_to": "", "suspended_from": "", "suspended_to": "", "end_known_on": "",
    "suspension_known_on": "", "issuer": "CN-MOFCOM", "instrument": "export_control",
    "legal_reference": "No. 18", "direction": "restrictive", "severity": "3",
    "destinations": "WLD", "products": "magnets", "covers": "magnets",
        "covered_share": "1", "covered_because": "named", "summary": "Licences.",
    "source_urls": "https://example.org/act", "confidence": "high", "evidence": "primary",
    "note": "",
}  # fmt: skip

TARIFF = {
    "importer": "USA", "origin": "CHN", "component": "IEEPA", "rate_pct": "10",
    "effective_from": "2025-02-04", "effective_to": "", "announced_on": "2025-02-01",
    "end_known_on": "", "legal_reference": "EO", "product_scope": "HTS 8505.11.00",
    "source_url": "https://example.org/eo", "confidence": "high", "note": "",
}  # fmt: skip

RELEASE = {
    "period": "2025-06", "release_date": "2025-07-20", "what": "detail by destination (magnets)",
    "source_url": "https://example.org/release",
}  # fmt: skip

RANKING = {
    "period": "2025-06", "rank_order": "DEU>USA>KOR", "source_url": "https://example.org/rank",
    "note": "",
}  # fmt: skip

NO_FOLDERS = Path("no-folders")
"""Root of the folders of publications where there are none."""


def figures_of(levels: pd.DataFrame, day: pd.Timestamp | None = None) -> list[dict[str, str]]:
    """Return levels as published figures, of their own days unless one is given."""
    return [
        {
            "period": f"{row.period_from:%Y-%m}",
            "destination": str(row.destination),
            "value": f"{row.value:.0f}",
            "published_on": f"{row.available_at if day is None else day:%Y-%m-%d}",
        }
        for row in levels.itertuples(index=False)
    ]


def write_csv(path: Path, template: Mapping[str, str], *changes: Mapping[str, str]) -> Path:
    """Write one line per change, each the template with that change."""
    rows = [{**template, **change} for change in changes]
    pd.DataFrame(rows).to_csv(path, index=False, lineterminator="\n")
    return path


def make_observations(*changes: Mapping[str, object]) -> pd.DataFrame:
    """Build one observation per change."""
    template: dict[str, object] = {
        "commodity": "85051110", "origin": "CHN", "destination": "USA", "measure": "net_weight_t",
        "period_from": "2025-06-01", "period_to": "2025-06-01", "value": 353.0, "unit": "t",
        "half_width": 0.5, "kind": "reported", "usable": True,
        "available_at": "2025-07-20T00:00:00Z", "source": "Example News",
        "source_url": "https://example.org/june", "note": "",
    }  # fmt: skip
    frame = pd.DataFrame([{**template, **change} for change in changes or ({},)])
    days = dict.fromkeys(("period_from", "period_to"), DATE_DTYPE)
    moments = pd.to_datetime(frame["available_at"], utc=True)
    return frame.assign(available_at=moments).astype({**days, "available_at": MOMENT_DTYPE})


def make_file(frame: pd.DataFrame, *, sha256: str = "a" * 64, name: str = "f.csv") -> FileRows:
    """Wrap a frame as the rows of one file."""
    return FileRows("published_figures", name, sha256, {"observations": frame})


def make_batch(frame: pd.DataFrame, *, sha256: str = "a" * 64) -> Batch:
    """Wrap a frame as a batch of one file."""
    return Batch((make_file(frame, sha256=sha256),))


def make_steps(*changes: Mapping[str, object]) -> pd.DataFrame:
    """Build one version of a tariff step per change."""
    template: dict[str, object] = {
        "importer": "USA", "origin": "CHN", "component": "IEEPA",
        "product_scope": "HTS 8505.11.00", "rate_pct": 10.0, "effective_from": "2025-02-04",
        "effective_to": None, "announced_on": "2025-02-01", "legal_reference": "EO",
        "source_url": "https://example.org/eo", "confidence": "high", "note": "",
        "available_at": "2025-02-01T00:00:00Z",
    }  # fmt: skip
    days = ("effective_from", "effective_to", "announced_on")
    return _typed([{**template, **change} for change in changes or ({},)], days=days)


def make_proposals(*changes: Mapping[str, object]) -> pd.DataFrame:
    """Build one item for the review desk per change."""
    template: dict[str, object] = {
        "source": "federal_register", "item_key": "2025-06001", "title": "Magnets",
        "url": "https://example.org/notice", "published_on": "2025-06-02", "payload": "{}",
    }  # fmt: skip
    return pd.DataFrame([{**template, **change} for change in changes or ({},)])


def _typed(rows: list[dict[str, object]], *, days: Sequence[str]) -> pd.DataFrame:
    """Give rows the types of their days and their moment."""
    frame = pd.DataFrame(rows)
    moments = pd.to_datetime(frame["available_at"], utc=True)
    types = {**dict.fromkeys(days, DATE_DTYPE), "available_at": MOMENT_DTYPE}
    return frame.assign(available_at=moments).astype(types)


def make_forecasts(*changes: Mapping[str, object]) -> pd.DataFrame:
    """Build one published forecast per change."""
    template: dict[str, object] = {
        "destination": "USA", "cutoff": "2025-03", "period": "2025-04", "horizon": 1,
        **dict(zip(QUANTILE_COLUMNS, (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0), strict=True)),
        "mean": 40.0, "model": "ensemble-1", "status": "champion",
    }  # fmt: skip
    return pd.DataFrame([{**template, **change} for change in changes or ({},)])


def make_panel(*changes: Mapping[str, object]) -> StoredPanel:
    """Build a panel of one month per change, at least one, with two contradictions."""
    template: dict[str, object] = {
        "destination": "USA", "period": pd.Timestamp("2025-03-01"), "tonnes": 585.0,
        "stderr_log": 0.01, "kind": "observed",
        "available_at": pd.Timestamp("2025-04-20", tz="UTC"),
    }  # fmt: skip
    contradictions = pd.DataFrame(
        {
            "statement": ["DEU 2025-03 net_weight_t 7", "USA 2025-03 share_pct 90"],
            "residual_t": [-400.0, 90.5],
            "z": [-9.5, 6.25],
            "weight": [0.1, 0.2],
            "source_url": ["https://a.org/worst", "https://a.org/b"],
        }
    )
    return StoredPanel(pd.DataFrame([{**template, **c} for c in changes or ({},)]), contradictions)


def propose(engine: Engine, items: pd.DataFrame, *, at: datetime) -> int:
    checked = validate(items, PROPOSALS, where="the items proposed for review")
    with writing(engine) as connection:
        return add_proposals(connection, checked, at=at)
