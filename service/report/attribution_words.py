"""An attribution in sentences that a planner can quote, also where no effect is visible."""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from service.report.attribution_chart import (
    AS_OF,
    LESS_HIT,
    MORE_HIT,
    OTHERS,
    SYNTHETIC,
    AttributionView,
    called,
    months_in_words,
)
from service.wording import percent, signed_tonnes, tonnes
from store.errors import first_few
from store.vocabulary import DESTINATIONS

RESTATED: Final = 0.1
"""A path restated by more than this is mentioned."""

SHOWN: Final = 5
"""Destinations named one by one."""


def sentences(view: AttributionView) -> list[str]:
    """Return what the event did, in order: the fall, what came after, whom, where to, how sure."""
    found = [
        *_fall(view),
        _companions(view),
        _after(view),
        _all(view),
        _by_destination(view),
        _displaced(view),
        _synthetic(view),
        _unseen(view),
        _doubt(view),
        _restated(view),
    ]
    return [sentence for sentence in found if sentence]


def _fall(view: AttributionView) -> list[str]:
    row = _row(view, view.whole, "fall")
    months = months_in_words(row["first_period"], row["last_period"])
    path = f"the path foreseen on {view.eve:%-d %B %Y}"
    where = called(view.whole)
    if not view.fall:
        return [
            (
                f"No fall stands out: no single month of {months} lies below the 80% band of "
                f"earlier dates. Exports to {where} were {_amount(row)} {path} in these months "
                f"({_band(row)}); {_as_often(row)}."
            )
        ]
    taken, rank, dates = view.depth
    return [
        (
            f"Exports to {where} lost {tonnes(row['missing_t'])} t in {months} against {path} "
            f"({_band(row)}), {percent(row['missing_t'] / row['path_t'])} of it."
        ),
        (
            f"That is {taken:.1f} months of exports. {_rank(rank - 1, dates - 1).capitalize()} "
            "calm fake dates before it show a fall as deep by the same rule "
            f"(rank {rank} of {dates}). Their "
            f"windows overlap, so they speak for about {_stretches(view, dates - 1)}."
        ),
    ]


def _after(view: AttributionView) -> str:
    row = view.total(view.whole, AS_OF, "after")
    if row is None or not view.fall:
        return ""
    months = months_in_words(row["first_period"], row["last_period"])
    back = -row["missing_t"]
    if back <= 0:
        return (
            f"No sign of recovery: in {months} exports ran a further {tonnes(-back)} t "
            f"below the path ({_band(row)}; {_as_often(row)})."
        )
    if _holds_zero(row):
        return (
            f"In {months} {tonnes(back)} t came above the path, which is no more than calm dates "
            f"show ({_band(row, sign=-1.0)}; {_as_often(row)}): no sure sign that the loss was "
            "made up."
        )
    return f"{tonnes(back)} t came back in {months} ({_band(row, sign=-1.0)})."


def _all(view: AttributionView) -> str:
    row = _row(view, view.whole, "all")
    first = _row(view, view.whole, "fall")
    if row["last_period"] == first["last_period"]:
        return ""
    sure = (
        "that far ahead the forecast is too uncertain to conclude"
        if _holds_zero(row)
        else "the band does not hold zero"
    )
    months = months_in_words(row["first_period"], row["last_period"])
    return f"Over all of {months} exports were {_amount(row)} the path ({_band(row)}): {sure}."


def _by_destination(view: AttributionView) -> str:
    names = view.largest("hit", SHOWN)
    if len(names) < 2:  # noqa: PLR2004 - one destination is the whole, covered above
        return ""
    parts = [
        f"{called(name)} {signed_tonnes(-row['missing_t'])} t ({_band(row, sign=-1.0)})"
        for name in names
        if (row := view.total(name, AS_OF, "fall")) is not None
    ]
    return f"Largest differences from their own paths in these months: {', '.join(parts)}."


def _displaced(view: AttributionView) -> str:
    row = view.total(OTHERS, AS_OF, "fall")
    if row is None:
        return (
            "The event affects every destination: there is none that could have taken up what "
            "another lost, so nothing is counted as displaced."
        )
    top = [
        f"{called(name)} {signed_tonnes(-one['missing_t'])} t"
        for name in view.largest("other", 3)
        if (one := view.total(name, AS_OF, "fall")) is not None
    ]
    side = "less" if row["missing_t"] >= 0 else "more"
    verdict = "beyond what calm dates show"
    if row["missing_t"] >= 0:
        verdict = "so nothing shows that they took over what was lost"
    elif _holds_zero(row):
        verdict = "no sure sign of displacement"
    return (
        f"The destinations it left alone took {tonnes(abs(row['missing_t']))} t {side} than their "
        f"own paths in the same months ({_band(row, sign=-1.0)}), {verdict}; furthest from theirs: "
        f"{', '.join(top)}."
    )


def _synthetic(view: AttributionView) -> str:
    if view.hits_all:
        return _less_hit(view)
    row = view.total(view.whole, SYNTHETIC, "fall")
    if row is None:
        return "For a synthetic control there are too few months before the event."
    donors = view.weights.groupby("donor")["weight"].mean().sort_values(ascending=False)
    named = ", ".join(f"{called(str(n))} {percent(w)}" for n, w in donors[:3].items())
    return (
        f"Against the synthetic control ({named}, ...; it misses months before the event by "
        f"{percent(view.fit_error)}) exports to {called(view.whole)} were {_amount(row)} the "
        f"path ({_band(row)}); {_as_often(row)}."
    )


def _less_hit(view: AttributionView) -> str:
    words = "A synthetic control needs destinations that the event left alone; there is none."
    row = view.total(MORE_HIT, LESS_HIT, "fall")
    if row is None or not view.fall:
        return words
    unsure = "; that it is above zero is not sure" if _holds_zero(row) else ""
    more, less = (_listed(sorted(set(view.weights[who]))) for who in ("target", "donor"))
    return (
        f"{words} What can be said: had {more} fared like {less}, which kept more "
        f"of their level but were hit as well, exports to them would have been "
        f"{tonnes(row['path_t'])} t instead of {tonnes(row['actual_t'])} t. The difference of "
        f"{tonnes(row['missing_t'])} t ({_band(row)}; {_as_often(row)}) is a lower bound of what "
        f"they lost, provided the others gained nothing by the event{unsure}."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(called(name) for name in names)


def _companions(view: AttributionView) -> str:
    if not view.companions:
        return ""
    shared = "The fall need not be this event's alone. " if view.fall else ""
    return (
        f"{shared}Other strong acts were announced within a month before the event or in the "
        f"months shown, and affect the same destinations: {first_few(view.companions)}. "
        "The forecast path includes those announced before it; the effect of the others cannot be "
        "separated from this event's."
    )


def _unseen(view: AttributionView) -> str:
    kinds = view.table.loc[view.table["destination"] == view.whole, "kind"]
    known = int(kinds.isin(["observed", "derived"]).sum())
    if 2 * known >= len(kinds) or not kinds.all():
        return ""
    return (
        f"Of the {len(kinds)} months of {called(view.whole)} {known or 'none'} "
        f"{'is' if known == 1 else 'are'} published: the rest is estimated from other figures and "
        "drawn towards its past, so that even a large fall can hide."
    )


def _doubt(view: AttributionView) -> str:
    rows = view.table.loc[view.table["destination"].isin(DESTINATIONS)]
    counts = rows["kind"].value_counts()
    own, least, most = view.late
    return (
        f"Of {len(rows)} months by destination {counts.get('observed', 0)} are observed, "
        f"{counts.get('derived', 0)} derived and {counts.get('estimated', 0)} estimated; what is "
        f"estimated is in the bands with its error. Before the event the data were {own} months "
        f"late, at the fake dates {least} to {most}."
    )


def _restated(view: AttributionView) -> str:
    rows = view.table.loc[view.table["destination"].isin(DESTINATIONS)]
    sums = rows.groupby("destination")[["without_p50", "foreseen_p50"]].sum()
    factor = (sums["without_p50"] / sums["foreseen_p50"]).sort_values()
    far = factor.loc[(factor - 1.0).abs() > RESTATED]
    if far.empty:
        return ""
    named = ", ".join(f"{called(str(name))} by {value:.2f}" for name, value in far.items())
    return (
        f"Paths restated for what was published later of the year before: {named}. That "
        "corrects their size and is not an effect of the event."
    )


def _row(view: AttributionView, destination: str, part: str) -> pd.Series:
    row = view.total(destination, AS_OF, part)
    if row is None:
        raise KeyError(f"totals hold no {destination} {part}")
    return row


def _amount(row: pd.Series) -> str:
    side = "below" if row["missing_t"] >= 0 else "above"
    return f"{tonnes(abs(row['missing_t']))} t {side}"


def _band(row: pd.Series, *, sign: float = 1.0) -> str:
    low, high = sorted((sign * row["missing_p10"], sign * row["missing_p90"]))
    return f"80% band {_plain(low)} to {_plain(high)} t"


def _plain(value: float) -> str:
    return tonnes(value) if value >= 0 else signed_tonnes(value)


def _holds_zero(row: pd.Series) -> bool:
    return bool(row["missing_p10"] <= 0.0 <= row["missing_p90"])


def _as_often(row: pd.Series) -> str:
    verb = "fell as short" if row["missing_t"] >= 0 else "rose as high"
    return f"{_rank(row['rank'] - 1, row['dates'])} calm fake dates {verb}"


def _rank(as_many: int, dates: int) -> str:
    return f"{as_many or 'none'} of the {dates}"


def _stretches(view: AttributionView, dates: int) -> str:
    months = len(view.table.loc[view.table["destination"] == view.whole])
    count = max(round(dates / months), 1)
    return f"{count} independent stretch{'es' if count > 1 else ''} of {months} months"
