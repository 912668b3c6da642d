"""Characters that nobody sees, or that change the direction of a text."""

import re
from typing import Final

HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\r\x0e-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Controls, zero-width characters and marks of direction: nobody sees them in a name."""


def visible(text: str) -> str:
    r"""Return a text with hidden characters written out, such as ``\u202e``."""
    return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
