"""China Customs' codes of trading partners, as in ``data/customs_partners.csv``."""

import csv
from functools import cache
from typing import Final, NamedTuple

from store.settings import PROJECT_ROOT

_TABLE: Final = PROJECT_ROOT / "data" / "customs_partners.csv"

RESIDUAL: Final = r"C\d{3}"
"""Places that are no country: "C" and the customs' code, such as C701 for partners unknown. They
are part of the world and of no destination."""


class PartnerCode(NamedTuple):
    """One line of the table."""

    code: str
    destination: str
    """ISO alpha-3, or a residual place."""
    name_zh: str
    name_en: str


@cache
def partner_codes() -> tuple[PartnerCode, ...]:
    """Every code, in order."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(PartnerCode(**row) for row in csv.DictReader(file))


@cache
def residual_names() -> dict[str, str]:
    """The English name of each residual place."""
    return {c.destination: c.name_en for c in partner_codes() if c.destination == f"C{c.code}"}
