"""``magnetcast gaps``: what China reports sending beside what partners report receiving."""

from flows.cli.app import AsOf, Form, Out, moment
from flows.cli.output import write_result
from flows.context.console import say
from store.settings import Settings


def gaps(*, as_of: AsOf = None, out: Out = None, format: Form = "table") -> None:  # noqa: A002 - the option's name
    """Write partners' imports beside the exports that should have arrived, with control limits.

    Each month of a series is judged by its other months: in or out of the limits, or estimated
    where the exports are not published yet.
    """
    from flows.context.workspace import open_workspace

    stand = moment(as_of)
    found = open_workspace(Settings(), stand).history.panel(stand).gaps
    if found.empty:
        say(
            f"no partner import records are known on {stand:%Y-%m-%d}; the table is empty. "
            "Load some, e.g. with `magnetcast ingest census`."
        )
    beyond = found.loc[found["state"] == "out"]
    for row in beyond.itertuples(index=False):
        say(
            f"out of control: {row.destination} {row.period:%Y-%m} ({row.source}), "
            f"log gap {row.log_gap:+.2f} beyond {row.lower:+.2f}..{row.upper:+.2f}"
        )
    tonnes = ["exports_t", "arriving_t", "imports"]
    logs = ["log_gap", "expected", "lower", "upper"]
    frame = found.assign(
        period=[f"{period:%Y-%m}" for period in found["period"]],
        **{name: found[name].astype(float).round(3) for name in tonnes},
        **{name: found[name].astype(float).round(4) for name in logs},
    )
    write_result(frame, out=out, form=format)
