"""The page that shows how the installation is: alarms, models in use, recent runs."""

from dataclasses import replace
from typing import Final

import pandas as pd

from service.http.responses import HTML, Answer, Record, answer_of
from service.live.health import HealthReport
from service.live.publication import Publication
from service.messages import rendered
from service.web.render import bare_page, page
from service.wording import name_of

_ADDRESS: Final = "/status"
TEMPLATE: Final = "status.html.j2"

RUNS: Final = 10


def status_page(found: HealthReport, publication: Publication | None, now: pd.Timestamp) -> Answer:
    """Return the page; without a publication it shows the installation only.

    Args:
        publication: The newest publication, None if there is none.
    """
    if publication is None:
        shown = bare_page(TEMPLATE, here=_ADDRESS, **_of_installation(found), models=(), runs=())
        return answer_of(shown.encode(), HTML)
    return page(
        TEMPLATE,
        publication,
        now=now,
        here=_ADDRESS,
        **_of_installation(found),
        models=models_in_use(publication),
        runs=recent_runs(publication),
    )


def _of_installation(found: HealthReport) -> dict[str, object]:
    return {
        "found": found,
        "headline": rendered(found.headline),
        "lines": [rendered(line) for line in found.lines],
        "alarms": [replace(one, words=rendered(one.words)) for one in found.alarms],
    }


def models_in_use(publication: Publication) -> list[Record]:
    """Return the model of each destination in the newest forecast, and why not the champion."""
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


def recent_runs(publication: Publication) -> list[Record]:
    """Return the last runs of any flow, newest first; minutes are None where one has not ended."""
    runs = publication.published.runs.sort_values("started_at", ascending=False).head(RUNS)
    return [
        {
            "started": f"{row['started_at']:%Y-%m-%d %H:%M}",
            "flow": row["flow"],
            "commodity": row["commodity"],
            "status": row["status"],
            "minutes": None
            if pd.isna(row["finished_at"])
            else (row["finished_at"] - row["started_at"]).total_seconds() / 60,
        }
        for row in runs.to_dict("records")
    ]
