"""What the columns of a panel are called: here, by Nixtla's tools, or by whoever made a file."""

from collections.abc import Sequence
from typing import Final

from store.errors import DataError

OURS: Final = ("destination", "period", "tonnes")
"""What the columns of a panel are called here."""

NIXTLA: Final = ("unique_id", "ds", "y")
"""What Nixtla's tools call them."""


def our_names(header: Sequence[str], given: Sequence[str] | None = None) -> list[str]:
    """Return a header in our own names.

    Args:
        header: As the file has it.
        given: What the file calls ``OURS``; where None, names of ``NIXTLA`` are ours too.
    """
    pairs = zip(given or NIXTLA, OURS, strict=True)
    ours = {their: our for their, our in pairs if given or our not in header}
    return [ours.get(name, name) for name in header]


def names_of(text: str | None) -> tuple[str, str, str] | None:
    """Return the names of series, date and value in ``--columns``.

    Raises:
        DataError: It has not three different names.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if len(names) != len(OURS) or len(set(names)) < len(OURS) or not all(names):
        raise DataError(
            f"--columns {text!r} does not name three columns. Expected those of series, date and "
            "value, e.g. --columns sku,month,sales. Correct it."
        )
    return names[0], names[1], names[2]
