"""Numbers and months that people type into any form, read by one rule: that of the page's language.

In English ``1,000.5``; on a page of another language as it writes numbers, German ``1.000,5``. What
can mean one thing alone is read everywhere, as ``14.5`` on a German page.
"""

import re
from typing import Final

from publication.language.choice import DEFAULT, language
from publication.language.formats import decimal_sign, separated
from publication.language.phrases import gettext
from store.errors import DataError
from store.numbers import plain_number


def typed_digits(text: str) -> str:
    """Number as plain digits, such as ``1000.5``; the error says how to write one."""
    try:
        return plain_number(text, decimal=decimal_sign())
    except ValueError as err:
        if language() == DEFAULT:
            raise DataError(f'"{text[:40]}" is not {err}.') from err
        raise DataError(
            gettext(
                "“%(text)s” is not a plain number. Write it as %(example)s.",
                text=text[:40],
                example=separated("1,000.5"),
            )
        ) from err


_STARTS: Final = re.compile(r"[\s,;]+(?=\d{4}-\d{2}(?!\d))", re.ASCII)
_LINE: Final = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))[\s,;:]+(\S(?:.*\S)?)", re.ASCII)


def typed_months(text: str) -> dict[str, float]:
    """Tonnes by month, ``YYYY-MM``, from lines such as ``2026-12 14.5``."""
    months: dict[str, float] = {}
    for part in filter(None, _STARTS.split(text.strip(" \t\r\n,;"))):
        match = _LINE.fullmatch(part)
        if match is None:
            raise DataError(
                gettext(
                    "“%(text)s” is no month with its tonnes. Write lines such as %(example)s.",
                    text=part[:40],
                    example=f"2026-12 {separated('14.5')}",
                )
            )
        if match[1] in months:
            raise DataError(gettext("%(month)s is entered twice. Enter it once.", month=match[1]))
        months[match[1]] = float(typed_digits(match[2]))
    return months
