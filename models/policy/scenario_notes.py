"""What the answer to a scenario rests on, in sentences."""

from collections.abc import Sequence
from typing import Final

from features.controls.analogs import Analog
from features.controls.controls import Control, controls_at
from features.controls.levers import (
    ScenarioWarning,
    with_levers,
)
from features.controls.own_analogs import own_analogs
from features.origin import Origin
from models.policy.recovery import recovery_of
from models.policy.response import Response
from models.policy.scenario_snapshot import ScenarioSnapshot
from sources.files.levers import Levers
from sources.files.scenario import Scenario

CARRIES: Final = 0.4
"""Share of an answer from which one past act is said to carry it."""


def warning_texts(origin: Origin, warned: Sequence[ScenarioWarning]) -> list[str]:
    """Return the warnings of every series and target, those of a sum among its members'."""
    texts = []
    for row, name in enumerate(origin.series):
        concerned = {name, *(origin.series[member] for member in origin.groups[row])}
        own = [
            one.text for one in warned if not one.destinations or concerned & {*one.destinations}
        ]
        texts += ["; ".join(dict.fromkeys(own))] * len(origin.targets)
    return texts


def notes_of(snapshot: ScenarioSnapshot, scenario: Scenario, *, is_same: bool) -> tuple[str, ...]:
    """Return what the answer to each control of a scenario rests on."""
    if is_same:
        return ("Nothing differs: what is asked changes no month of this forecast.",)
    origin = snapshot.origin
    compared = with_levers(origin, scenario.against or Levers())
    before = {(one.event_id, one.bound) for one in controls_at(compared)}
    then = with_levers(origin, scenario.levers)
    known = controls_at(then)
    new = [
        one for one in known if (one.event_id, one.bound) not in before and one.seen(origin) == 0
    ]
    lessons = (*snapshot.analogs, *own_analogs(then, known)) if snapshot.analogs else ()
    texts_of_new = tuple(_note(one, lessons, origin) for one in new if one.passing is None)
    if scenario.against is None:
        return texts_of_new
    return (
        "Base is what the scenario is compared with (against), not the forecast.",
        *texts_of_new,
    )


def _note(control: Control, lessons: tuple[Analog, ...], origin: Origin) -> str:
    """Say what a control's answer rests on, and how long its trade would take to come back."""
    if not lessons:
        return f"{control.event_id} is not answered: no past control is known by then."
    response = Response(lessons)
    age = control.age(origin.targets)
    counted = response.influence(age[age > 0], instrument=control.instrument)
    most = max(counted, key=counted.__getitem__)
    material = next(one.material for one in lessons if one.event_id == most)
    carried = (
        f"; one past event carries {counted[most]:.0%} of it: {most} ({material})"
        if counted[most] >= CARRIES
        else f"; {most} ({material}) counts most, {counted[most]:.0%}"
    )
    same = sum(one.instrument == control.instrument for one in lessons)
    lacking = "" if same else f", none of them a {control.instrument}"
    recovery = recovery_of(response, instrument=control.instrument)
    return (
        f"{control.event_id} from {control.bound:%Y-%m-%d}: answered from {len(lessons)} past "
        f"controls{lacking}{carried}. Of what it stops, {recovery.words}."
    )
