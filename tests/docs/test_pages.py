import os
import re
import shlex
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from flows.cli.command_line import VERBS, app
from store.settings import PROJECT_ROOT
from tests.docs.pages import DOCS, Page, followed, mentioned
from tests.helpers import ended


@pytest.mark.slow
def test_no_link_of_the_site_is_broken_and_no_page_loads_anything_from_another_host(
    tmp_path: Path,
) -> None:
    build = ("-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path)
    done = ended(*build, cwd=PROJECT_ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    elsewhere = r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(?:https?:)?//[^\s>]+"
    found = {
        tag for page in tmp_path.rglob("*.html") for tag in re.findall(elsewhere, page.read_text())
    }

    assert done.returncode == 0, done.stderr
    assert not {tag for tag in found if 'rel="canonical"' not in tag}


def test_the_page_of_commands_has_every_verb_under_its_heading() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))

    missing = []
    for heading, modules in VERBS.items():
        for verb in (name for names in modules.values() for name in names):
            own = [name for name in app[verb] if not name.startswith("-") and "_" not in name]
            wanted = [f"`magnetcast {verb}", *(rf"\b{name}\b" for name in own if name != "bundled")]
            missing += [one for one in wanted if not re.search(one, sections[heading])]
    assert missing == []


@pytest.mark.parametrize(("where", "command"), mentioned())
def test_a_command_that_a_page_mentions_is_one(where: str, command: str) -> None:
    filled = re.sub(r"\.\.\.|\b(?:FILE|NUMBER|DAY|A B)\b|\|", "1", command)
    words = shlex.split(re.sub(r"[\[\]]", "", filled))[1:]
    try:
        app.parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as err:
        pytest.fail(f"{where}: `{command}` is not understood: {err}")


@pytest.mark.parametrize("page", followed(), ids=lambda page: page.name)
def test_a_page_asks_for_something_and_every_make_target_exists(page: Page) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))

    assert page.commands
    asked = {line.split()[1] for line in page.commands if line.startswith("make ")}
    assert asked <= targets
