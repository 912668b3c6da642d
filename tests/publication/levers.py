"""What the form of the what-if page offers, on two announced acts."""

from service.lever_form import LeverChoices
from store.publications.explanations import Announced
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


def announced(act: str, due: str, chance: float, *, is_return: bool) -> Announced:
    return Announced(act, due, is_return, (chance, 0.1, 0.1, 0.8 - chance), ("WLD",))


GROUND = LeverChoices(
    context=context_of(DUTY, LISTED),
    suspended={"2025-10-duty": "2026-11-10"},
    announced=(
        announced("2025-10-duty", "2027-01-11", 0.5, is_return=True),
        announced("2026-11-list", "2027-02-01", 0.4, is_return=False),
    ),
    titles={"2025-10-duty": "Licence duty", "2026-11-list": "New list"},
)
