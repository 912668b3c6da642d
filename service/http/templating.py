"""Templates of the pages: everything escaped, nothing undefined passes, nothing to load."""

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from service.report import view
from service.wording import chances, names, numbers

TEMPLATES: Final = Path(__file__).parents[1] / "templates"
_FILTERS: Final = (
    numbers.tonnes,
    numbers.signed_tonnes,
    numbers.percent,
    numbers.signed_percent,
    numbers.number,
    view.web_address,
    chances.chance_words,
    names.name_of,
)


def environment() -> Environment:
    """Return the template environment: everything escaped, nothing undefined passes."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update({filter_.__name__: filter_ for filter_ in _FILTERS})
    made.filters["picture"] = _picture
    return made


def _picture(drawing: str) -> Markup:
    """Let a drawing of our own through unescaped; all text in it was escaped when drawn."""
    return Markup(drawing)  # noqa: S704
