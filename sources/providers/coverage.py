"""What an act covers, as proposed from its wording in Chinese or English, for review only."""

import re
from collections.abc import Mapping
from typing import Final

from sources.bundled.policy_events import COVERAGE

ELEMENTS: Final = tuple("钕镨钐钴钆铽镝镥钪钇钬铒铥铕镱")
"""Rare earths, and the cobalt of magnets with samarium."""

MINERALS: Final = ("镓", "锗", "锑", "石墨", "钨", "碲", "铋", "钼", "铟")

_SHARES: Final = (
    ("magnets", 1.0, r"永磁|磁[体铁材]|铁硼|钐钴|magnet|8505\.?11|nd-?fe-?b|neodymium.iron"),
    ("all_goods", 1.0, r"(?:所有|全部)(?:商品|货物|产品)|all (?:goods|imports|products)"),
    ("dual_use", 0.3, r"两用物项|dual.use"),
    ("rare_earths", 0.1, f"稀土|{'|'.join(ELEMENTS)}|rare.earth|neodymium|samarium"),
    ("other_minerals", 0.1, f"{'|'.join(MINERALS)}|critical mineral|gallium|germanium|antimony"),
    ("technology", 0.1, r"技术|technolog"),
    ("equipment", 0.1, r"设备|equipment"),
)
"""What wording names, by pattern, and the share of magnet trade that an act on it covers."""


def proposed_coverage(title: str, text: str) -> Mapping[str, str]:
    """Columns ``COVERAGE`` of an act by its title and text; empty where nothing is recognised.

    The reason says which words were recognised and how sure the proposal is: highly where the title
    names what decides the share, little where magnets are not named.
    """
    matches = [
        (name, share, [re.search(pattern, words, re.IGNORECASE) for words in (title, text)])
        for name, share, pattern in _SHARES
    ]
    named = [match for match in matches if any(match[2])]
    # Technology in the title and no magnets: those in the text are what it makes.
    in_title = {name for name, _, (match, _) in named if match}
    if in_title & {"technology", "equipment"} and "magnets" not in in_title:
        named = [match for match in named if match[0] in in_title]
    if not named:
        return dict.fromkeys(COVERAGE, "")
    _, share, words = max(named, key=lambda match: match[1])
    sure = "high" if share == 1.0 and words[0] else "medium" if share == 1.0 else "low"
    word = (words[0] or words[1] or [""])[0]
    reason = f"confidence {sure}: {word!r} in the {'title' if words[0] else 'text'}"
    covers = ";".join(name for name, *_ in named)
    return dict(zip(COVERAGE, (covers, f"{share:g}", reason), strict=True))
