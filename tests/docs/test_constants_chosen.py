import ast
import re
from dataclasses import fields
from importlib import import_module

import pytest

from features.panel.system import PRIOR
from models.learning.parameters import MAGNETS_PRESET, PANEL_PRESET
from models.policy import policy_effect
from models.policy.response import ResponsePrior
from store.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
ROW = r"^\| `([\w.()]+)` \| `([\w/]+)\.py` \| ([^|]+) \| (.+) \| (.+) \|$"
ROWS = re.findall(ROW, PAGE, re.MULTILINE)
NAMES = {name for name, *_ in ROWS}


@pytest.mark.parametrize(("name", "module", "value"), [row[:3] for row in ROWS])
def test_a_constant_of_the_page_is_in_the_code_with_its_value(
    name: str, module: str, value: str
) -> None:
    found = import_module(module.replace("/", "."))
    for part in name.split("."):
        found = getattr(found, part.removesuffix("()"))
        found = found() if part.endswith("()") else found

    assert found == ast.literal_eval(value)


def test_the_page_names_what_the_magnets_preset_priors_and_policy_effect_hold() -> None:
    preset = MAGNETS_PRESET.by_name.items()
    chosen = {name for name, value in preset if value != getattr(PANEL_PRESET, name)}
    chosen -= {"rows", "threads"}
    assert {f"MAGNETS_PRESET.{name}" for name in chosen} <= NAMES
    assert {f"PRIOR.{field.name}" for field in fields(PRIOR)} <= NAMES
    assert {f"ResponsePrior().{field.name}" for field in fields(ResponsePrior)} <= NAMES
    shares = {name for name, value in vars(policy_effect).items() if isinstance(value, float)}
    assert {name for name in shares if name.isupper()} - {"LEAST"} <= NAMES
