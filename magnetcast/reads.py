"""What was known and forecast, as tidy tables.

Each function calls what the command of the same name calls, without Prefect: nothing is published,
no run is recorded and no server started. A home without data gets the bundled facts first.
``as_of`` is a day as text or date, which counts whole, or a moment (UTC; a ``pd.Timestamp`` always
is one), now if left out; only what was known by then is used. Periods are timestamps of the first
day of a month.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import yaml

from flows.analysis.explain import changes, why
from flows.analysis.scenarios import scenario_snapshot
from flows.cli.options import moment
from flows.context.run_config import config_of
from flows.context.workspace import workspace_with
from flows.ingest.ingest import ingest_if_empty
from flows.publishing.published_forecasts import ExplainRequest
from flows.training.predict import forecast as forecast_in
from flows.training.predict import trial_forecast
from magnetcast.known import Moment, opened
from models.policy.scenario import paired
from sources.files.file_reader import content_of
from sources.files.handwritten import read_scenario
from store.errors import DataError, first_few
from store.settings import Settings
from store.vocabulary import FORECAST_COLUMNS, WORLD


def forecast(
    as_of: Moment = None,
    destinations: str | Sequence[str] | None = None,
    *,
    commodity: str | None = None,
    **parameters: float,
) -> pd.DataFrame:
    """Return the forecast of an as_of; nothing is published.

    Args:
        as_of: Day or UTC moment.
        destinations: Code or codes, e.g. ``["USA", "DEU"]``; all if left out.
        commodity: Code of a full partner table, e.g. ``"250410"``; the magnets if left out.
        parameters: E.g. ``num_leaves=8``: a model trained with the champion's
            parameters, changed by these, forecasts, and is not kept.

    Returns:
        One row a destination and month: destination, cutoff, period, horizon, quantiles ``p05`` to
        ``p95`` and mean in tonnes, model, status.

    Raises:
        DataError: A destination is not forecast, or a parameter is none or out of its range.
    """
    at = opened(as_of)
    known = workspace_with(at.settings, at.as_of, commodity, parameters)
    made = trial_forecast(known) if parameters else forecast_in(known)
    rows = _of_destinations(made[list(FORECAST_COLUMNS)], destinations)
    return _of_months(rows, "cutoff", "period")


def backtest(
    as_of: Moment = None,
    destinations: str | Sequence[str] | None = None,
    *,
    commodity: str | None = None,
    **parameters: float,
) -> pd.DataFrame:
    """Return forecasts from what was known at past origins beside the actuals; keeps no scores.

    Args:
        as_of: Day or UTC moment: what is known by then is scored on.
        destinations: Code or codes; all if left out.
        commodity: As of ``forecast``.
        parameters: As of ``forecast``; those of the champion without.

    Returns:
        One row a model, destination, cutoff and month that is known by now, with quantiles, the
        outcome ``tonnes`` and errors.

    Raises:
        DataError: A destination is not forecast.
    """
    at = opened(as_of)
    found = workspace_with(at.settings, at.as_of, commodity, parameters).backtest()
    return _of_destinations(found.cells, destinations)


def scenario(levers: str | Path | Mapping[str, object], as_of: Moment = None) -> pd.DataFrame:
    """Return the forecast under a scenario beside the baseline, with bands of the difference.

    Args:
        levers: A YAML file as in ``scenarios/``, or its content as a dictionary.
        as_of: Day or UTC moment.

    Raises:
        DataError: It is no scenario, or contradicts itself or what is known.
    """
    snapshot = scenario_snapshot(Settings(), opened(as_of).as_of)
    if isinstance(levers, Mapping):
        name, content = "the scenario", yaml.safe_dump(dict(levers), sort_keys=False).encode()
    else:
        name, content = Path(levers).name, content_of(Path(levers))
    return _of_months(paired(snapshot, read_scenario(name, content, snapshot.context)).table)


def explain(
    destination: str = WORLD,
    as_of: Moment = None,
    *,
    period: str | None = None,
    since: str | pd.Timestamp | int | None = None,
    commodity: str | None = None,
) -> pd.DataFrame:
    """Return why medians are what they are, or what changed them since an earlier publication.

    Args:
        destination: Code of a destination or sum.
        as_of: Day or UTC moment: the newest publication by then is explained; without one the
            forecast is computed.
        period: Month, ``YYYY-MM``; all if left out.
        since: Day, moment or number of an earlier publication of the magnets.
        commodity: As of ``forecast``.

    Returns:
        One row a month: the median, or its change, and the parts in tonnes that add up to it.

    Raises:
        DataError: The destination or month was not forecast, or there is no earlier publication.
    """
    settings = Settings()
    ingest_if_empty(settings)
    key = config_of(commodity).published_as
    asked = ExplainRequest(destination, period, moment(as_of, option="as_of"), key)
    if since is None:
        return _of_months(why(settings, asked))
    which = since if isinstance(since, int) else moment(since, option="since")
    return _of_months(changes(settings, asked, which)[0])


def _of_destinations(table: pd.DataFrame, names: str | Sequence[str] | None) -> pd.DataFrame:
    if names is None:
        return table.reset_index(drop=True)
    wanted = [names] if isinstance(names, str) else list(names)
    known = sorted(set(table["destination"]))
    if missing := sorted(set(wanted) - set(known)):
        raise DataError(
            f"destinations has {first_few(missing)}, which are not forecast. "
            f"Expected some of {', '.join(known)}. Correct them."
        )
    return table.loc[table["destination"].isin(wanted)].reset_index(drop=True)


def _of_months(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    names = columns or ("period",)
    return table.assign(**{name: pd.to_datetime(table[name]) for name in names})
