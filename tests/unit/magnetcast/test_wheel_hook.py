from pathlib import Path

import pytest

from hatch_build import rewritten

MODULES = frozenset({"store", "store.settings", "flows.cli.command_line"})
PATH = Path("flows/some.py")


def test_imports_of_rooms_are_rewritten_and_nothing_else() -> None:
    source = (
        '"""See store.settings."""\n'
        "import os, store.settings as settings\n"
        "from store.settings import (\n    Settings,\n)\n"
        "from storehouse import store\n"
        "def f():\n    from flows.cli.command_line import main; "
        "return main, store.settings, 'flows'\n"
    )

    made = rewritten(source.encode(), MODULES, PATH).decode()

    assert made == (
        '"""See store.settings."""\n'
        "import os, magnetcast._internal.store.settings as settings\n"
        "from magnetcast._internal.store.settings import (\n    Settings,\n)\n"
        "from storehouse import store\n"
        "def f():\n    from magnetcast._internal.flows.cli.command_line import main; "
        "return main, store.settings, 'flows'\n"
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import store.settings", "binds a room's own name"),
        ('NAME = "flows.cli.command_line:main"', "names a module"),
        ('COMMAND = "-m flows.cli.command_line"', "names a module"),
        ('CODE = "from flows.cli.command_line import main; main()"', "names a module"),
    ],
)
def test_what_the_wheel_could_not_import_stops_the_build(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=rf"flows/some.py, line 1: .*{reason}"):
        rewritten(line.encode(), MODULES, PATH)
