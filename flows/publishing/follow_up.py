"""What follows a publication: what moved it, alerts and the site; no trouble here undoes it."""

from pathlib import Path

from flows.clock import utc_now
from flows.publishing.forecast_explanation import explain_if_possible
from flows.publishing.planning_alerts import alert_if_possible
from flows.publishing.site_writing import show_publications
from store.settings import Settings


def follow_up(settings: Settings, *, is_explained: bool = True) -> Path | None:
    """Explain, alert and show what was published; return the site if it could be written."""
    if is_explained:
        explain_if_possible(settings)
    alert_if_possible(settings, utc_now())
    return show_publications(settings)
