"""Commodities with published forecasts, each with the newest."""

from typing import Final

from sqlalchemy import Engine

from service.http.responses import Record, records
from service.live.publication import Publication
from service.wording.goods import label_of
from store.publications.published import read_newest
from store.vocabulary import COMMODITY

COMMODITY_COLUMNS: Final = (
    "commodity", "label", "as_of", "cutoff", "first_period", "last_period", "months",
    "destinations", "status",
)  # fmt: skip

_MONTHS: Final = ("cutoff", "first_period", "last_period")


def listing(publication: Publication, engine: Engine) -> list[Record]:
    """Return one row a commodity, the magnets first; read once a publication."""
    rows: list[Record] = publication.memo.make("commodities", lambda: _rows(publication, engine))
    return rows


def _rows(publication: Publication, engine: Engine) -> list[Record]:
    newest = read_newest(engine)
    newest = newest.loc[newest["as_of"].notna()]
    labels = publication.published.labels
    newest = newest.assign(
        label=[label_of(str(code), labels) for code in newest["commodity"]],
        **{name: newest[name].dt.strftime("%Y-%m") for name in _MONTHS},
        **{name: newest[name].astype("int64") for name in ("months", "destinations")},
    )
    magnets_first = newest.assign(other=newest["commodity"] != COMMODITY).sort_values(
        ["other", "commodity"]
    )
    return records(magnets_first[list(COMMODITY_COLUMNS)])
