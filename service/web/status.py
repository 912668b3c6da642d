"""The page of how it is: what is wrong and what to do, who answers and why, the last runs."""

from typing import Final

import pandas as pd

from service.http.responses import HTML, Answer, Record, answer_of
from service.live.health import HealthReport
from service.live.publication import Publication
from service.web.render import bare_page, page
from service.wording.names import name_of

ADDRESS: Final = "/status"
TEMPLATE: Final = "status.html.j2"

RUNS: Final = 10


def status_page(found: HealthReport, publication: Publication | None, now: pd.Timestamp) -> Answer:
    """Return the page; without a publication it tells of the installation alone.

    Args:
        found: How the installation is.
        publication: What is published, None if nothing is.
        now: The moment of asking.
    """
    if publication is None:
        shown = bare_page(TEMPLATE, here=ADDRESS, found=found, answering=(), runs=())
        return answer_of(shown.encode(), HTML)
    return page(
        TEMPLATE,
        publication,
        now=now,
        here=ADDRESS,
        found=found,
        answering=answering(publication),
        runs=last_runs(publication),
    )


def answering(publication: Publication) -> list[Record]:
    """Return who answers for each destination in the newest forecast, and why not the champion."""
    rows = publication.latest.fillna({"reason": ""})
    parts = rows.drop_duplicates(["destination", "status", "reason"])
    place = {code: number for number, code in enumerate(publication.destinations)}
    parts = parts.sort_values("destination", key=lambda own: own.map(place), kind="stable")
    return [
        {
            "destination": row["destination"],
            "name": name_of(row["destination"]),
            "status": row["status"],
            "model": row["model"],
            "reason": row["reason"],
        }
        for row in parts.to_dict("records")
    ]


def last_runs(publication: Publication) -> list[Record]:
    """Return the last runs on anything, newest first; minutes are None where one has not ended."""
    runs = publication.published.runs.sort_values("started_at", ascending=False).head(RUNS)
    return [
        {
            "began": f"{row['started_at']:%Y-%m-%d %H:%M}",
            "flow": row["flow"],
            "commodity": row["commodity"],
            "status": row["status"],
            "minutes": None
            if pd.isna(row["finished_at"])
            else (row["finished_at"] - row["started_at"]).total_seconds() / 60,
        }
        for row in runs.to_dict("records")
    ]
