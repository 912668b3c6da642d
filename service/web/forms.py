"""Forms of the pages: read field by field, and shown again with a message where one is wrong."""

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
    """A form that was not accepted."""

    form: str
    """Which form of the page."""
    fields: Mapping[str, str]
    """As typed."""
    message: str


async def form_of(request: Request) -> Mapping[str, str]:
    """Return the fields of a form; each occurs once.

    Raises:
        DataError: The body is not a form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    try:
        text = (await request.body()).decode()
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except (UnicodeDecodeError, ValueError) as err:
        raise DataError(
            f"The form cannot be read ({err}). Expected {FORM}. Send it again."
        ) from err
    if kind != FORM:
        raise DataError(f"The body is {kind!r}. Expected {FORM}. Programs use /api/v1.")
    return dict(fields)


Fields = Annotated[Mapping[str, str], Depends(form_of)]


def text_in(fields: Mapping[str, str], name: str) -> str:
    """Return a field of a form.

    Raises:
        DataError: It is missing.
    """
    if name not in fields:
        raise DataError(f"The form has no field {name!r}. Expected one. Use the form of the page.")
    return fields[name].strip()


def number_in(fields: Mapping[str, str], name: str) -> float:
    """Return a field that is a number.

    Raises:
        DataError: It is missing or not a number.
    """
    text = text_in(fields, name)
    try:
        return float(text)
    except ValueError as err:
        raise DataError(
            f'"{text[:40]}" is not a number we can read safely. Write {name} as 1000 or 1000.0.'
        ) from err


def month_in(fields: Mapping[str, str], name: str) -> pd.Timestamp:
    """Return a field that is a month, as its first day.

    Raises:
        DataError: It is missing or not a month.
    """
    text = text_in(fields, name)
    if not re.fullmatch(MONTH_PATTERN, text):
        raise DataError(f'"{text[:40]}" is not a month. Write {name} as YYYY-MM, e.g. 2026-12.')
    return month_start(text)
