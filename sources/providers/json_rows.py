"""Records of a provider's JSON as a table, checked for the documented shape."""

from collections.abc import Mapping, Sequence

import pandas as pd

from store.errors import SourceError, first_few


def records_in(answer: object, name: str, *, provider: str, url: str) -> list[Mapping[str, object]]:
    """Return the list of records an answer keeps under ``name``.

    Raises:
        SourceError: The answer has another shape; names what it has.
    """
    held = answer.get(name) if isinstance(answer, Mapping) else None
    if isinstance(held, list) and all(isinstance(record, Mapping) for record in held):
        return held
    has = sorted(map(str, answer)) if isinstance(answer, Mapping) else type(answer).__name__
    raise SourceError(
        f"{provider} answers without a list of records {name!r}, at {url}; it has {has}. Expected "
        "the documented shape. See whether the provider has changed it; nothing was taken over."
    )


def table_of(
    records: Sequence[Mapping[str, object]], needed: Sequence[str], *, provider: str, url: str
) -> pd.DataFrame:
    """Return records as a table of the columns needed.

    Raises:
        SourceError: A column is missing.
    """
    if not records:
        return pd.DataFrame(columns=list(needed))
    frame = pd.DataFrame.from_records(list(records))
    if missing := [name for name in needed if name not in frame.columns]:
        raise missing_columns(missing, list(frame.columns), provider=provider, url=url)
    return frame


def missing_columns(
    missing: Sequence[str], has: Sequence[str], *, provider: str, url: str
) -> SourceError:
    """Return an error for an answer without some columns."""
    return SourceError(
        f"{provider} answers without {first_few(missing)}, at {url}; it has "
        f"{', '.join(map(str, has[:40]))}. Expected the documented columns. See whether the "
        "provider has renamed them; nothing was taken over."
    )


def numbers(column: pd.Series, *, provider: str, url: str) -> pd.Series:
    """Return a column as numbers, missing where it is empty.

    Raises:
        SourceError: A cell is something else.
    """
    try:
        return pd.to_numeric(column.replace("", None)).astype("float64")
    except (ValueError, TypeError) as err:
        raise SourceError(
            f"{provider} answers with {column.name!r} that is no number ({err}), at {url}. "
            "Expected numbers or nothing. See whether the provider has changed the column."
        ) from err
