"""Text that does not look like what it is: invisible characters, changed direction, look-alikes."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\r\x0e-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Controls, zero-width characters and marks of direction: nobody sees them in a name."""

_LATIN: Final = str.maketrans(
    "АВЕЅІЈКМНОРСТУХҮаеіјорсухѕԁԛԝһΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανιıɑ",  # noqa: RUF001  # they are the matter
    "ABESIJKMHOPCTYXYaeijopcyxsdqwhABEZHIKMNOPTYXoaviia",
)
"""Cyrillic and Greek letters by the Latin one that they look like."""


def visible(text: str) -> str:
    r"""Return a text with hidden characters written out, such as ``\u202e``."""
    return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def look_alikes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the groups of different names that look the same, each sorted."""
    groups: dict[str, set[str]] = {}
    for name in names:
        groups.setdefault(_appearance(name), set()).add(name)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def spelled(name: str) -> str:
    """Return a name with every character beyond ASCII by its code, to tell look-alikes apart."""
    return name if name.isascii() else name.encode("ascii", "backslashreplace").decode()


def _appearance(name: str) -> str:
    """Return what a name looks like, equal for names that look the same."""
    if name.isascii():
        return " ".join(name.split())
    plain = HIDDEN.sub("", unicodedata.normalize("NFKC", name)).translate(_LATIN)
    return " ".join(plain.split())
