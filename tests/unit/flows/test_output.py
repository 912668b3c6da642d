import io
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from flows.context.console import echo
from flows.context.output import write_result, write_text


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("[/x]", "[/x]"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("[link=https://e.org]x", "[link=https://e.org]x"),
        ("\x1b[2Jx", r"\u001b[2Jx"),
        ("a\u202eb\u200bc", r"a\u202eb\u200bc"),
        ("=1+1", "=1+1"),
        ("<script>", "<script>"),
        ("\u7a00\u571f \u00e9\u00a0x", "\u7a00\u571f \u00e9\u00a0x"),
    ],
)
def test_a_hostile_name_is_text_in_every_format(
    name: str, seen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame({"name": [name], name: [1]})
    shown = {}
    for form in ("table", "csv", "json"):
        write_result(frame, out=None, form=form)
        shown[form] = capsys.readouterr().out
    echo(f"series {name} is refused")

    assert shown["table"].count(seen) == 2
    assert pd.read_csv(io.StringIO(shown["csv"]))["name"].tolist() == [name]
    assert json.loads(shown["json"])[0] == {"name": name, name: 1}
    assert capsys.readouterr().err == f"series {seen} is refused\n"


def test_a_file_that_cannot_be_written_whole_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "forecast.csv"
    write_text("whole", out=out)

    def fill(self: Path, text: str, **_: str) -> None:
        self.write_bytes(text[:2].encode())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill)
    with pytest.raises(OSError, match="No space"):
        write_text("another", out=out)

    assert out.read_text(encoding="utf-8") == "whole"
    assert list(tmp_path.iterdir()) == [out]


def test_a_link_and_a_pipe_stay_what_they_are(tmp_path: Path) -> None:
    link, pipe = tmp_path / "newest.csv", tmp_path / "pipe"
    (tmp_path / "file.csv").touch()
    link.symlink_to("file.csv")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    for out in (link, pipe):
        write_text("text", out=out)

    assert (link.is_symlink(), link.read_text(encoding="utf-8")) == (True, "text")
    assert (pipe.is_fifo(), os.read(reader, 10)) == (True, b"text")
    os.close(reader)
