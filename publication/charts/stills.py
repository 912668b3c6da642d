"""Pictures of charts without a browser, and the script by which a browser draws them itself."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

Palette = Mapping[str, str]

WIDTH: Final = 760
"""Pixels of a still."""

_CLIP: Final = re.compile(r"\bclip[0-9]+\b")
_LIBRARY: Final = "window.vegaEmbed=vegaEmbed;"


def still(description: str, palettes: Sequence[Palette], width: int = WIDTH) -> str:
    """Picture of a description, as SVG.

    Args:
        palettes: Colours of the page's variables on a light and on a dark page; the picture takes
            those that its reader prefers.
    """
    import vl_convert  # noqa: PLC0415 - a service that draws nothing need not load it

    text = description.replace('"width":"container"', f'"width":{width}', 1)
    return _themed(_counted(vl_convert.vegalite_to_svg(text)), palettes)


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


def bundle() -> bytes:
    """Vega, Vega-Lite and vega-embed as one script."""
    import vl_convert  # noqa: PLC0415 - as above

    return vl_convert.javascript_bundle(_LIBRARY).encode()
