"""Which encoding a text from outside has: UTF-8, UTF-16 or GB18030, as China's customs write."""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Final

UTF8: Final = "utf-8"

KNOWN: Final = "UTF-8, UTF-16 nor GB18030"
"""To follow "is neither" in a message."""

_GB18030: Final = "gb18030"
_ASCII: Final = re.compile(r"[\x00-\x7f]+")
_SIGNS: Final = b"\xa3"
"""First byte of the last signs of GB2312; kana, Greek and Cyrillic letters follow."""
_FIRST: Final = b"\xb0"
_LAST: Final = b"\xd7"
"""First bytes of GB2312's first and last everyday characters."""
_METALS: Final = (b"\xee", b"\xef")
"""First bytes of the rarer characters of metals."""
_HANGUL: Final = b"\xc8"
"""First byte of the last syllables in Korea's encoding, whose first ones have ``_FIRST``."""
_TELLING: Final = 20
"""Different characters from which chance brings no Chinese text into so few first bytes."""
_ZEROS: Final = 0.1
"""Share of zero bytes from which a text has two bytes a character: digits and commas hold one."""


def encoding_of(blocks: Callable[[], Iterable[bytes]]) -> str:
    """Return the codec that all bytes of a text fit, judged by its mark and zero bytes, then tried.

    Args:
        blocks: Yields the bytes; called once for each codec tried and once before.

    Raises:
        UnicodeError: None fits; worded to follow a colon.
    """
    faults = []
    for encoding in likely_encodings(next(iter(blocks()), b"")):
        try:
            _check(encoding, blocks())
        except UnicodeError as err:
            faults.append(str(err))
        else:
            return encoding
    raise UnicodeError(faults[0])


def likely_encodings(start: bytes) -> tuple[str, ...]:
    """Return the codecs to try on a text that starts so, the likeliest first."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16",)
    low, high = start[1::2].count(0), start[::2].count(0)
    wide = ("utf-16-le" if low >= high else "utf-16-be",)
    return (*(wide if low + high > _ZEROS * len(start) else ()), UTF8, _GB18030)


def _check(encoding: str, blocks: Iterable[bytes]) -> None:
    """Refuse bytes that are no text of an encoding, naming the first."""
    decoder = codecs.getincrementaldecoder(encoding)()
    lines, letters = 1, Counter[str]()
    for block in chain(blocks, [b""]):
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as err:
            lines += err.object[: err.start].count(b"\n")
            raise UnicodeError(f"byte 0x{err.object[err.start]:02x} on line {lines}") from err
        lines += block.count(b"\n")
        if encoding == _GB18030:
            letters.update(_ASCII.sub("", text))
    if letters and not _is_chinese(letters):
        raise UnicodeError("its characters are not those of Chinese texts")


def _is_chinese(letters: Counter[str]) -> bool:
    """Tell whether letters read as GB18030 are those of a Chinese text; nearly any bytes are some.

    Western, Cyrillic and other letters make rare characters: half must be signs, metals or GB2312's
    everyday ones, which lie in the order of their sound. Korean syllables make everyday ones of the
    first sounds alone.
    """
    leads = {letter: letter.encode("gb2312", "ignore")[:1] for letter in letters}
    everyday = sum(
        letters[one]
        for one, lead in leads.items()
        if b"" < lead <= _SIGNS or _FIRST <= lead <= _LAST or lead in _METALS
    )
    is_korean = len(leads) >= _TELLING and all(_FIRST <= one <= _HANGUL for one in leads.values())
    return 2 * everyday >= letters.total() and not is_korean
