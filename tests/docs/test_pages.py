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

ELSEWHERE = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(?:https?:)?//[^\s>]+")
OPTIONAL = re.compile(r"[\[\]]")
STANDS_FOR_SOMETHING = re.compile(r"\.\.\.|\b(?:FILE|NUMBER|DAY|A B)\b|\|")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the site, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    build = ("-m", "mkdocs", "build", "--strict", "--site-dir", folder)
    done = ended(*build, cwd=PROJECT_ROOT, env=quiet)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_site_holds_every_page_of_the_documentation(site: Path) -> None:
    sources = {path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md")}
    built = {
        path.relative_to(site).parent
        for path in site.rglob("index.html")
        if not path.parent.name.startswith("_")
    }

    missing = {path for path in sources if path.name != "README"} - built
    assert not missing
    assert (site / "reference" / "models" / "index.html").stat().st_size > 100_000


@pytest.mark.slow
def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    found = {
        match for page in site.rglob("*.html") for match in ELSEWHERE.findall(page.read_text())
    }

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
    words = shlex.split(OPTIONAL.sub("", STANDS_FOR_SOMETHING.sub("1", command)))[1:]
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
