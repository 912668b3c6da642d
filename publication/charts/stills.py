"""Pictures of charts without a browser, and the script by which a browser draws them itself.

It imports little, for the process that draws loads it (``publication.charts.drawer``).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

Form = Literal["svg", "png"]
Palette = Mapping[str, str]

WIDTH: Final = 760
"""Pixels of a still."""

_SHARPNESS: Final = 2
"""Pixels of a PNG for each of a still."""

_VARIABLE: Final = re.compile(r"var\(--c-(\w+)\)")


_CLIP: Final = re.compile(r"\bclip[0-9]+\b")
_LIBRARY: Final = "window.vegaEmbed=vegaEmbed;"


def still(description: str, form: Form, palettes: Sequence[Palette], width: int = WIDTH) -> bytes:
    """Picture of a description.

    Args:
        palettes: Colours of the page's variables; two are for a light and for a dark page, and an
            SVG takes the one that its reader prefers.
    """
    import vl_convert  # noqa: PLC0415 - a service that draws nothing need not load it

    text = description.replace('"width":"container"', f'"width":{width}', 1)
    light = palettes[0]
    if form == "svg" and palettes[1:]:
        return _themed(_counted(vl_convert.vegalite_to_svg(text)), palettes).encode()
    text = _VARIABLE.sub(lambda variable: light[variable[1]], text)
    if form == "svg":
        return _counted(vl_convert.vegalite_to_svg(text)).encode()
    return bytes(vl_convert.vegalite_to_png(text, scale=_SHARPNESS))


def _counted(svg: str) -> str:
    """Count the clips of a drawing from one, which vl-convert counts on from drawing to drawing."""
    names = {name: f"clip{number}" for number, name in enumerate(dict.fromkeys(_CLIP.findall(svg)))}
    return _CLIP.sub(lambda clip: names[clip[0]], svg)


def _themed(svg: str, palettes: Sequence[Palette]) -> str:
    """Define the variables of a drawing within it."""
    light, dark = (
        "".join(f"--c-{name}:{colour};" for name, colour in palette.items()) for palette in palettes
    )
    rules = f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return svg.replace(">", f"><style>{rules}</style>", 1)


def has_glyphs(characters: str) -> bool:
    """Whether an installed font has some characters, compared with the glyph of a missing one."""
    import vl_convert  # noqa: PLC0415 - as above

    def drawn(character: str) -> bytes:
        text = f'<text x="2" y="20" font-family="sans-serif" font-size="18">{character}</text>'
        return bytes(
            vl_convert.svg_to_png(
                f'<svg xmlns="http://www.w3.org/2000/svg" width="30" height="30">{text}</svg>'
            )
        )

    return drawn("\ue000") not in map(drawn, characters)


def bundle() -> bytes:
    """Vega, Vega-Lite and vega-embed as one script."""
    import vl_convert  # noqa: PLC0415 - as above

    return vl_convert.javascript_bundle(_LIBRARY).encode()
