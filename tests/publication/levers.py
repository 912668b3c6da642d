"""What the form of the what-if page offers, on two announced acts."""

from service.lever_form import KnownAct, LeverChoices
from store.schema.scenario import ScenarioContext
from tests.data.builders import at, make_events

DUTY: dict[str, object] = {
    "event_id": "2025-10-duty", "effective_from": "2025-10-09", "suspended_from": "2025-11-07",
    "suspended_to": "2026-11-10", "announced_on": "2025-10-09",
}  # fmt: skip
LISTED: dict[str, object] = {
    "event_id": "2026-11-list", "announced_on": "2026-11-20", "effective_from": "2027-02-01"
}  # fmt: skip


def context_of(*events: dict[str, object]) -> ScenarioContext:
    destinations = ("WLD", "USA", "JPN")
    return ScenarioContext(at("2026-11-24"), make_events(*events), destinations, ("USA", "JPN"))


GROUND = LeverChoices(
    context=context_of(DUTY, LISTED),
    acts=(
        KnownAct("2025-10-duty", "2027-01-11", "2027-01-10", 0.5),
        KnownAct("2026-11-list", "2027-02-01", chance=0.4),
    ),
    titles={"2025-10-duty": "Licence duty", "2026-11-list": "New list"},
)
