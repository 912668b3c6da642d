"""Forecasts, scenarios, causes and scores as tidy tables; models trained and promoted.

Each function does the work of the verb of the same name without Prefect: it publishes nothing and
starts no server. A home without data gets the bundled facts first. ``as_of`` is a day as text or
date, counted to its end, or a moment (UTC; always for a ``pd.Timestamp``); now if left out. Only
data known by then is used. Periods are timestamps of the first day of a month.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from flows.cli.options import first_origin, moment
from flows.context.parameter_sources import parameters_for
from flows.context.run_config import config_of
from flows.context.stores import single_writer
from flows.context.workspace import open_workspace
from flows.ingest.ingest import ingest_if_empty
from flows.publishing.forecast_explanation import changes, why
from flows.publishing.publication_lookup import ExplainRequest
from flows.publishing.scenario_start import scenario_snapshot
from flows.training.compare_runs import compare_runs
from flows.training.predict import forecast as forecast_in
from flows.training.predict import trial_forecast
from flows.training.promote import PromotionOutcome
from flows.training.promote import promote as promote_in
from flows.training.promote import rollback as rollback_in
from flows.training.train import train as train_in
from magnetcast.model_inputs import Moment, opened
from models.policy.paired_forecast import paired
from sources.files.file_reader import content_of, read_scenario
from store.errors import DataError, first_few
from store.schema.scenario import scenario_of
from store.settings import Settings
from store.vocabulary import FORECAST_COLUMNS, WORLD


def forecast(
    as_of: Moment = None,
    destinations: str | Sequence[str] | None = None,
    *,
    commodity: str | None = None,
    **parameters: float,
) -> pd.DataFrame:
    """Forecast of an as-of; nothing is published.

    Args:
        as_of: Day or UTC moment.
        destinations: Code or codes, e.g. ``["USA", "DEU"]``; all if left out.
        commodity: Code of a full partner table, e.g. ``"250410"``; the magnets if left out.
        parameters: E.g. ``num_leaves=8``: a model with the champion's parameters, changed by
            these, is trained for this forecast and not stored.

    Returns:
        One row per destination and month: destination, cutoff, period, horizon, quantiles ``p05``
        to ``p95`` and mean in tonnes, model, status.

    Raises:
        DataError: A destination is not forecast, or a parameter is unknown or out of range.

    Examples:
        >>> usa = mc.forecast("2026-11-25", "USA").set_index("period")
        >>> usa.loc["2027-01-01", ["p10", "p50", "p90"]].is_monotonic_increasing
        True
    """
    workspace = opened(as_of, commodity, parameters)
    forecasts = trial_forecast(workspace) if parameters else forecast_in(workspace)
    rows = _of_destinations(forecasts[list(FORECAST_COLUMNS)], destinations)
    return _of_months(rows, "cutoff", "period")


def backtest(
    as_of: Moment = None,
    destinations: str | Sequence[str] | None = None,
    *,
    commodity: str | None = None,
    since: str | None = None,
    **parameters: float,
) -> pd.DataFrame:
    """Forecasts from past origins beside the actuals; scores are not stored.

    Args:
        as_of: Day or UTC moment; figures known by then are the actuals.
        destinations: Code or codes; all if left out.
        commodity: As in ``forecast``.
        since: Month of the first scored origin of the magnets, e.g. ``"2021-06"``.
        parameters: As in ``forecast``; the champion's if left out.

    Returns:
        One row per model, destination, cutoff and known month, with quantiles, the actual
        ``tonnes``, errors, ``lead``: months from that of the as-of, 0 and below over by then. Of
        magnets also ``is_forecastable``: no control that was announced later shaped the month.

    Raises:
        DataError: A destination is not forecast, or no origin is left to score.

    Examples:
        >>> cells = mc.backtest("2026-11-25", "USA", since="2026-06")
        >>> {"magnetcast", "experts", "seasonal_naive"} <= set(cells["model"])
        True
    """
    workspace = opened(as_of, commodity, parameters)
    result = workspace.backtest(first_origin(since, workspace.as_of))
    return _of_destinations(result.cells, destinations)


def scenario(levers: str | Path | Mapping[str, object], as_of: Moment = None) -> pd.DataFrame:
    """Forecast under a scenario beside the baseline, with bands of the difference.

    Args:
        levers: A YAML file like those in ``scenarios/``, or its content as a dictionary.
        as_of: Day or UTC moment.

    Raises:
        DataError: The scenario is invalid or contradicts known facts.

    Examples:
        >>> rise = {"importer": "USA", "rate_pct": 60, "effective_from": "2027-02-01"}
        >>> what_if = mc.scenario({"name": "60% on magnets", "tariffs": [rise]}, "2026-11-25")
        >>> usa = what_if[what_if["destination"].eq("USA")].set_index("period")
        >>> bool(usa["scenario_p50"]["2027-03-01"] < usa["base_p50"]["2027-03-01"])
        True
    """
    snapshot = scenario_snapshot(Settings(), opened(as_of).as_of)
    if isinstance(levers, Mapping):
        checked = scenario_of(levers, snapshot.context)
    else:
        file = Path(levers)
        checked = read_scenario(file.name, content_of(file), snapshot.context)
    return _of_months(paired(snapshot, checked).table)


def explain(
    destination: str = WORLD,
    as_of: Moment = None,
    *,
    period: str | None = None,
    since: str | pd.Timestamp | int | None = None,
    commodity: str | None = None,
) -> pd.DataFrame:
    """Causes of medians, or of their change since an earlier publication, in tonnes.

    Args:
        destination: Code of a destination or sum.
        as_of: Day or UTC moment: the newest publication by then is explained; if there is none, the
            forecast is computed.
        period: Month, ``YYYY-MM``; all if left out.
        since: Day, moment or number of an earlier publication of the magnets.
        commodity: As in ``forecast``.

    Returns:
        One row per month: the median or its change, and the parts that add up to it, in tonnes.

    Raises:
        DataError: The destination or month was not forecast, or there is no earlier publication.

    Examples:
        >>> why = mc.explain("USA", "2026-11-25", period="2027-01").iloc[0]
        >>> bool(abs(why.loc["level":"not_reproduced"].sum() - why["p50"]) < 1e-6)
        True
    """
    settings = Settings()
    ingest_if_empty(settings)
    key = config_of(commodity).published_as
    request = ExplainRequest(destination, period, moment(as_of, option="as_of"), key)
    if since is None:
        return _of_months(why(settings, request))
    which = since if isinstance(since, int) else moment(since, option="since")
    return _of_months(changes(settings, request, which)[0])


def _of_destinations(table: pd.DataFrame, names: str | Sequence[str] | None) -> pd.DataFrame:
    if names is None:
        return table.reset_index(drop=True)
    wanted = [names] if isinstance(names, str) else list(names)
    forecast = sorted(set(table["destination"]))
    if missing := sorted(set(wanted) - set(forecast)):
        raise DataError(
            f"destinations has {first_few(missing)}, which are not forecast. "
            f"Expected some of {', '.join(forecast)}. Correct them."
        )
    return table.loc[table["destination"].isin(wanted)].reset_index(drop=True)


def _of_months(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    names = columns or ("period",)
    return table.assign(**{name: pd.to_datetime(table[name]) for name in names})


def train(
    as_of: Moment = None,
    *,
    commodity: str | None = None,
    file: str | Path | None = None,
    **parameters: float,
) -> int:
    """Train a model, promote it if it passes the gate, and return its version.

    Args:
        commodity: Code of a full partner table, e.g. ``"250410"``; the magnets if left out.
        file: Parameter file, as by ``--parameters``.
        parameters: Changes of its parameters, or of the champion's, as by ``--set``.

    Raises:
        DataError: A parameter is unknown or out of range.

    Examples:
        >>> mc.train("2026-11-25")  # the version
        1
        >>> mc.train("2026-11-25", num_leaves=8)
        2
    """
    settings, known_by = Settings(), moment(as_of, option="as_of")
    place, config = None if file is None else str(file), config_of(commodity)
    ingest_if_empty(settings)
    values = parameters_for(settings, known_by, place, parameters, config=config).parameters
    with single_writer(settings):
        return train_in(open_workspace(settings, known_by, config, parameters=values))


def compare(a: int | str, b: int | str, *, commodity: str | None = None) -> pd.DataFrame:
    """Scores of two versions or MLflow runs on the cells they share.

    Args:
        commodity: Commodity of the versions, as in ``train``.

    Returns:
        One row per scope and metric: A, B, the difference B minus A, and its bounds p05 and p95.

    Examples:
        >>> scores = mc.compare(1, 2)
        >>> scores.loc[scores["scope"].eq("ALL"), "metric"].tolist()
        ['mase', 'sql', 'wape', 'coverage80', 'bias']
    """
    return compare_runs(Settings(), str(a), str(b), config_of(commodity)).scores


def promote(
    version: int | None = None, *, commodity: str | None = None, accept: str | None = None
) -> PromotionOutcome:
    """Compare a version with the champion, and promote it if every rule holds.

    Args:
        version: The challenger if left out.
        commodity: Commodity of the model, as in ``train``.
        accept: Reason to promote a version that a rule refuses or that cannot be compared.

    Returns:
        ``is_champion``, and the ``decision`` with its ``table`` of rules.

    Examples:
        >>> mc.promote(2, accept="to show it").is_champion
        True
    """
    settings = Settings()
    with single_writer(settings):
        return promote_in(settings, moment(None), version, accept, config=config_of(commodity))


def rollback(reason: str, *, commodity: str | None = None) -> int:
    """Let the previous champion publish again, and return its version.

    Args:
        reason: Why; kept with the version that is withdrawn.
        commodity: Commodity of the model, as in ``train``.

    Examples:
        >>> mc.rollback("to show it")  # the version that publishes again
        1
    """
    settings = Settings()
    with single_writer(settings):
        return rollback_in(settings, moment(None), reason, config_of(commodity))[0].version
