"""``magnetcast scenario``, ``recovery`` and ``diversion``: what if, how long, where it went."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from cyclopts import Parameter

from features.controls.episodes import Episode, PartialActs
from features.months import month_label
from flows.cli.options import AsOf, Commodity, Form, Out, moment
from flows.context.console import echo
from flows.context.output import write_result
from flows.publishing.run_config import MAGNETS, table_config
from models.event_study.diversion import check_rate, find_diversion, kept_of_path
from models.event_study.diversion_paths import DiversionQuestion, TradeFlows
from models.event_study.diversion_words import COLUMNS, diversion_table, sentences
from sources.files.csv_table import content_of
from sources.files.scenario import read_scenario, with_probabilities
from store.errors import DataError
from store.settings import Settings

UNSHOWN = ("base_mean", "scenario_mean", "warning")
"""Columns that a table on the terminal leaves out: warnings are printed beside it."""

Probabilities = Annotated[
    tuple[str, ...],
    Parameter(
        help="EVENT=0.3: probability that an announced act comes as announced. May be repeated; "
        "estimated from all announced acts if left out.",
        negative=(),
    ),
]


def scenario(
    file: Annotated[Path, Parameter(help="YAML file of acts and tariff steps, as in scenarios/.")],
    *,
    as_of: AsOf = None,
    probability: Probabilities = (),
    commodity: Commodity = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Forecast under a scenario file, beside the baseline, with a band for the difference.

    Nothing is stored.
    """
    from flows.analysis.scenarios import scenario_snapshot
    from flows.ingest.ingest import ingest_if_empty
    from models.policy.scenario import paired

    settings, content, as_of_time = Settings(), content_of(file), moment(as_of)
    config = MAGNETS if commodity is None else table_config(commodity)
    if config.is_main:
        ingest_if_empty(settings)
    snapshot = scenario_snapshot(settings, as_of_time, config)
    asked = read_scenario(file.name, content, snapshot.context)
    asked = with_probabilities(asked, probability, snapshot.context)
    found = paired(snapshot, asked)
    echo(f"scenario  {asked.name}. {asked.description}".rstrip())
    for note in found.notes:
        echo(f"scenario  {note}")
    for warning in dict.fromkeys(one for own in found.warnings.values() for one in own):
        echo(f"warning   {warning}")
    is_shown = format == "table" and out is None
    table = found.table.drop(columns=list(UNSHOWN)) if is_shown else found.table
    write_result(_rounded(table), out=out, form=format)


def recovery(
    *,
    as_of: AsOf = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Estimate months until exports are back at 80% of their level before each export control.

    Counted from the day a control takes effect, from months observed so far and past controls.
    """
    from flows.context.workspace import open_workspace
    from models.policy.recovery import recoveries_at, recovery_words

    workspace = open_workspace(Settings(), moment(as_of))
    origin = workspace.history.origin(workspace.as_of)
    found = recoveries_at(origin, workspace.history.analogs(workspace.as_of))
    for row in found.to_dict("records"):
        echo(f"recovery  {recovery_words(row)}")
    if found.empty:
        echo("recovery  no export control on magnets was known by then")
    write_result(_rounded(found), out=out, form=format)


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    tonnes = table.select_dtypes("number").columns
    return table.assign(**{str(name): table[name].round(3) for name in tonnes})


Event = Annotated[
    str | None,
    Parameter(help="Policy event; all strong ones of the last 18 months if left out."),
]
Rate = Annotated[
    float,
    Parameter(help="False alarm rate: share of episodes without diversion that may alert."),
]


def diversion(
    *,
    as_of: AsOf = None,
    event: Event = None,
    commodity: Commodity = None,
    rate: Rate = 0.05,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Show which destinations rose above expectation in the half year after others were hit.

    Each is compared with the total of all others that were not hit, so a shock to everybody raises
    no alert. Alerts are sentences on stderr; with --commodity the same for a full partner table.
    """
    check_rate(rate)
    settings, as_of_time = Settings(), moment(as_of)
    flows, acts = _known(settings, as_of_time, commodity)
    if event is not None:
        episode = acts.named(event)
        if acts.is_on_all(episode):
            raise DataError(_nothing_left(flows, episode))
        parts = [_assessed(flows, acts, episode, rate)]
    else:
        parts = _recent(flows, acts, rate)
    found = [part for part in parts if not part.empty]
    frame = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(COLUMNS))
    write_result(frame, out=out, form=format)


def _known(
    settings: Settings, as_of: pd.Timestamp, commodity: str | None
) -> tuple[TradeFlows, PartialActs]:
    from flows.context.stores import store_of
    from flows.context.workspace import open_workspace
    from flows.publishing.table_snapshot import open_table
    from store.facts.reading import read_events

    if commodity is None:
        flows = TradeFlows.of_panel(open_workspace(settings, as_of).history.panel(as_of))
    else:
        flows = TradeFlows.of_table(open_table(settings, as_of, commodity).table)
    events = read_events(store_of(settings), as_of=as_of)
    return flows, PartialActs(events, flows.names, as_of=as_of)


def _recent(flows: TradeFlows, acts: PartialActs, rate: float) -> list[pd.DataFrame]:
    """Look at every recent episode; one that cannot be assessed is named and stops none."""
    parts = []
    episodes = acts.recent()
    if not episodes:
        echo("no strong act on part of the destinations began in the last 18 months.")
    for episode in episodes:
        try:
            parts.append(_assessed(flows, acts, episode, rate))
        except DataError as err:
            echo(f"{episode.event_id}: not assessed. {err}")
    return parts


def _assessed(flows: TradeFlows, acts: PartialActs, episode: Episode, rate: float) -> pd.DataFrame:
    found = find_diversion(flows, question_of(flows, acts, episode), rate=rate)
    for line in sentences(episode, found):
        echo(line)
    return diversion_table(episode, found)


def question_of(flows: TradeFlows, acts: PartialActs, episode: Episode) -> DiversionQuestion:
    """Return what is asked of an episode at the flows' last month."""
    return DiversionQuestion(
        hit=episode.hit,
        base_end=episode.base_end,
        start=episode.start,
        end=episode.end(flows.cutoff),
        troubled=acts.troubled(),
    )


def _nothing_left(flows: TradeFlows, episode: Episode) -> str:
    end = episode.end(flows.cutoff)
    text = (
        f"--event {episode.event_id} hits every destination, so there is nothing to divert to. "
        "Expected an act on part of them."
    )
    kept = kept_of_path(flows, base_end=episode.base_end, start=episode.start, end=end)
    if not kept:
        return text
    shares = ", ".join(f"{name} {part:.0%}" for name, part in kept)
    return (
        f"{text} How hard each was hit, as the share kept of the path without it, in "
        f"{month_label(episode.start)}..{month_label(end - 1)}: {shares}."
    )
