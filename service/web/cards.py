"""Tables whose rows become cards on a phone: each cell names its column."""

import re
from typing import Final

_TABLE: Final = re.compile(r'<table class="cards">.*?</table>', re.DOTALL)
_ROW: Final = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
_HEAD: Final = re.compile(r'<th scope="col"[^>]*>(.*?)</th>', re.DOTALL)
_CELL: Final = re.compile(r"<(?:td|th)\b")
_TAG: Final = re.compile(r"<[^>]*>")


def with_heads(page: str) -> str:
    """Return a page whose tables of class ``cards`` have each cell's column in ``data-head``."""
    return _TABLE.sub(lambda found: _named(found[0]), page)


def _named(table: str) -> str:
    heads = [_TAG.sub(" ", head).strip().replace('"', "&quot;") for head in _HEAD.findall(table)]

    def named(row: re.Match[str]) -> str:
        left = iter(heads)
        return _CELL.sub(lambda cell: f'{cell[0]} data-head="{next(left, "")}"', row[0])

    head, body = table.split("<tbody>", 1)
    return f"{head}<tbody>{_ROW.sub(named, body)}"
