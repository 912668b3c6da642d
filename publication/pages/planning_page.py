"""The firm's page: its needs beside the newest forecasts, its alert rules and what they found."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from publication.pages.render import page
from publication.planning.needs import need_documents
from publication.planning.planning_file import Planning
from publication.state import Publication


def planning_page(
    publications: Sequence[Publication],
    read_at: pd.Timestamp,
    planning: Planning,
    **about: Any,  # noqa: ANN401 - of every page
) -> str:
    """Page of needs, alert rules and alerts."""
    needs = [
        {**need, "home": publication.home}
        for publication in publications
        for need in need_documents(publication, planning, read_at)
    ]
    return page(
        "planning.html.j2",
        publications[0],
        read_at=read_at,
        path="planning.html",
        needs=needs,
        rules=planning.file.alert_rules if planning.file else (),
        alerts=planning.alerts,
        **about,
    )
