"""Forms of the pages: read field by field, and shown again where they make no sense."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import parse_qsl

import pandas as pd
from fastapi import Depends, Request

from service.api.planning import month_start
from store.errors import DataError
from store.schema.frame_schemas import MONTH_PATTERN

MOST_FIELDS: Final = 20
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class FormErrors:
    """A form that was not taken."""

    form: str
    """Which of its page."""
    fields: Mapping[str, str]
    """As they were typed."""
    message: str


async def form_of(request: Request) -> Mapping[str, str]:
    """Return the fields of a form; each comes once.

    Raises:
        DataError: The body is no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    try:
        text = (await request.body()).decode()
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except (UnicodeDecodeError, ValueError) as err:
        raise DataError(
            f"A form that cannot be read ({err}). Expected {FORM}. Send it anew."
        ) from err
    if kind != FORM:
        raise DataError(f"A body of {kind!r}. Expected {FORM}. Programs use /api/v1.")
    return dict(fields)


Fields = Annotated[Mapping[str, str], Depends(form_of)]


def text_in(fields: Mapping[str, str], name: str) -> str:
    """Return a field of a form.

    Raises:
        DataError: It is missing.
    """
    if name not in fields:
        raise DataError(f"No field {name!r} in the form. Expected one. Send the page's own form.")
    return fields[name].strip()


def number_in(fields: Mapping[str, str], name: str) -> float:
    """Return a field that is a number.

    Raises:
        DataError: It is missing or none.
    """
    text = text_in(fields, name)
    try:
        return float(text)
    except ValueError as err:
        raise DataError(
            f"{name}={text[:40]!r} is no number. Expected one such as 450.5. Correct it."
        ) from err


def month_in(fields: Mapping[str, str], name: str) -> pd.Timestamp:
    """Return a field that is a month, as its first day.

    Raises:
        DataError: It is missing or none.
    """
    text = text_in(fields, name)
    if not re.fullmatch(MONTH_PATTERN, text):
        raise DataError(
            f"{name}={text[:40]!r} is no month. Expected YYYY-MM, e.g. 2026-12. Correct it."
        )
    return month_start(text)
