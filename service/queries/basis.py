"""How far destinations are published and what of them is estimated, in words."""

from collections.abc import Mapping
from typing import Final

import pandas as pd

from service.http.responses import Record
from service.language.formats import dated, listed, percentage
from service.language.phrases import gettext
from service.live.publication import Publication
from service.words import in_reading_order, name_of
from store.publications.basis import Basis
from store.vocabulary import WORLD


def basis_words(basis: Basis | None) -> str:
    """Return in a few words to which month a destination is published; empty where unknown."""
    if basis is None:
        return ""
    error = "" if not basis.estimated else percentage(f"{100 * basis.error:.0f}")
    if not basis.published_to and not basis.estimated:
        return gettext("never published, derived from other figures")
    if not basis.published_to:
        return gettext("never published; estimated, ±%(band)s", band=error)
    month = dated(pd.Timestamp(basis.published_to), "month")
    if basis.since:
        return gettext(
            "last published month %(month)s; estimated since, ±%(band)s", month=month, band=error
        )
    if not basis.estimated:
        return gettext("last published month %(month)s", month=month)
    return gettext(
        "last published month %(month)s; %(estimated)s of twelve months estimated, ±%(band)s",
        month=month,
        estimated=basis.estimated,
        band=error,
    )


_MOST_NAMED: Final = 3


def data_through(cutoff: str, bases: Mapping[str, Basis]) -> str:
    """Say to which month the data reach: those of the world and of the newest destinations.

    Args:
        cutoff: Last month of the world, ``YYYY-MM``.
        bases: Of all destinations; empty for a table, in which all end together.
    """
    month = dated(pd.Timestamp(cutoff), "long month")
    months = {name: basis.published_to for name, basis in bases.items() if name != WORLD}
    newest = max(months.values(), default="")
    if not newest or set(months.values()) == {cutoff}:
        return gettext("Data through %(month)s.", month=month)
    names = in_reading_order(name for name, to in months.items() if to == newest)[:_MOST_NAMED]
    return gettext(
        "Data: world to %(month)s; %(names)s to %(newest)s; others by destination.",
        month=month,
        names=listed([name_of(name) for name in names]),
        newest=dated(pd.Timestamp(newest), "long month"),
    )


def published_later(panel: pd.DataFrame, cutoff: str) -> str:
    """Name the months after the world's that are published of destinations; empty without any.

    Args:
        panel: ``PANEL_COLUMNS``; not modified.
        cutoff: Last month of the world, ``YYYY-MM``.
    """
    is_later = panel["period"].gt(pd.Timestamp(cutoff)) & panel["kind"].eq("observed")
    months = {str(name): rows for name, rows in panel.loc[is_later].groupby("destination")}
    if not months:
        return ""
    found = [
        f"{name_of(name)}: {listed([dated(one, 'long month') for one in months[name]['period']])}"
        for name in in_reading_order(months)
    ]
    named = gettext("; ").join(found)
    return gettext("Published of single destinations meanwhile: %(months)s.", months=named)


def destinations(publication: Publication, *, moment: pd.Timestamp) -> list[Record]:
    """Return the destinations of the forecast of a moment whose past months are stored."""
    bases = publication.snapshots[moment].bases
    return [
        {"destination": name, "name": name_of(name), **bases[name].record}
        for name in in_reading_order(bases)
    ]
