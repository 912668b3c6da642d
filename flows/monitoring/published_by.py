"""Which models made the newest forecast, and why it is not the champion alone where it is not."""

import pandas as pd

from models.registry import registry
from models.registry.registry import RegisteredVersion
from store.errors import first_few
from store.settings import Settings


def published_by(
    settings: Settings, latest: pd.DataFrame, champion: RegisteredVersion | None
) -> str:
    """Return a sentence on who made the newest forecast; empty before the first.

    Args:
        settings: Where models are kept.
        latest: As ``store.facts.reading.latest_forecast``.
        champion: Who publishes from the next run on.
    """
    if latest.empty:
        return ""
    rows = latest.assign(reason=latest["reason"].fillna(""))
    if champion is not None and set(rows["model"]) == {champion.model_version}:
        return "The newest forecast was made by the champion."
    parts = []
    for (model, status, reason), own in rows.groupby(["model", "status", "reason"], sort=False):
        names = sorted(own["destination"].unique())
        whom = "" if len(own) == len(rows) else f" for {first_few(names)}"
        if champion is not None and model == champion.model_version:
            why = "the champion"
        else:
            why = str(reason) or _why_not(settings, str(model), str(status), latest, champion)
        parts.append(f"{model} ({status}){whom}: {why}")
    return f"The newest forecast was made by {'; by '.join(parts)}."


def _why_not(
    settings: Settings,
    model: str,
    status: str,
    latest: pd.DataFrame,
    champion: RegisteredVersion | None,
) -> str:
    """Return why another model than today's champion made a forecast that tells no reason."""
    author = registry.named(settings, model)
    if author is not None and author.rolled_back:
        return f"it was taken back since ({author.rolled_back}); the next run publishes anew"
    if champion is not None and pd.Timestamp(champion.as_of) > latest["as_of"].max():
        return "the champion was trained later"
    if status.startswith("replay"):
        return "trained as of that day, when there was no champion"
    return "the champion changed since; the next run publishes anew"
