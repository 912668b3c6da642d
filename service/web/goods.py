"""The page that lists other commodities than the magnets."""

import pandas as pd

from service.http.responses import Answer, Record
from service.live.publication import Publication
from service.web.render import OTHERS, page
from service.wording.goods import home_of


def goods_page(publication: Publication, now: pd.Timestamp, rows: list[Record]) -> Answer:
    """Return the list, each commodity with the address of its pages.

    Args:
        publication: The newest publication of the magnets.
        now: The moment of the request.
        rows: As ``queries.commodities.listing``.
    """
    others = [
        {**row, "home": home_of(row["commodity"])}
        for row in rows
        if row["commodity"] != publication.commodity
    ]
    return page("goods.html.j2", publication, now=now, here=OTHERS[0], others=others)
