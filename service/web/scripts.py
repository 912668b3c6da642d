"""Our own scripts: one file each, named by its content, under a policy without inline code."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from fastapi import Request
from starlette.responses import Response

from service.http.limits import CSP
from service.http.replies import reply
from service.http.responses import Answer

_SITE: Final = Path(__file__).parents[1] / "templates" / "site"
LIBRARY_ADDRESS: Final = f"/static/vega-{version('vl-convert-python')}.js"
"""Of the script that draws charts; it names its version, so that browsers may keep it."""

JAVASCRIPT: Final = "text/javascript; charset=utf-8"
FOR_GOOD: Final = "public, max-age=31536000, immutable"

SCRIPTED_CSP: Final = CSP.replace("script-src 'none'", "script-src 'self'; connect-src 'self'")
"""Of a page with a script: those of this service alone, none inline, no eval."""


@cache
def script_address(name: str) -> str:
    """Return the address of a script; it changes with the file, so that it may be kept."""
    digest = hashlib.sha256(script(name)).hexdigest()
    return f"/static/{name}-{digest[:12]}.js"


def kept_for_good(request: Request, answer: Answer) -> Response:
    """Return what a browser need not ask for again."""
    return reply(request, answer, {"Cache-Control": FOR_GOOD})


def scripted(answer: Response, policy: str = SCRIPTED_CSP) -> Response:
    """Let a page run the scripts of this service."""
    answer.headers["Content-Security-Policy"] = policy
    return answer


def script(name: str) -> bytes:
    """Return the content of a script."""
    return (_SITE / f"{name}.js").read_bytes()


CHARTS_ADDRESS: Final = script_address("charts")
"""Of our script, which draws the charts that come into view."""
