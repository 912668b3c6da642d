"""The page of needs, alert rules and alerts of all commodities; its forms are for one."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import pandas as pd
from fastapi import Request
from starlette.responses import Response

from service.api.replies import reply
from service.http.responses import Record
from service.live.publication import Publication
from service.planning.planning_state import PlanningState
from service.queries import planning as queries
from service.queries.needs import Of, all_needs, autocorrelation_of
from service.web.forms import FormErrors
from service.web.render import page
from service.wording.goods import home_of, query_of, words_of
from service.wording.names import name_of
from store.vocabulary import COMMODITY

PLACE: Final = "/needs"


def needs_page(
    request: Request,
    publication: Publication,
    planning: PlanningState,
    now: pd.Timestamp,
    *,
    of: Of,
    picked: str = "",
    secret: Mapping[str, object] | None = None,
    refused: FormErrors | None = None,
) -> Response:
    """Return the page of needs, alert rules and alerts.

    Args:
        request: The request to answer.
        publication: The newest publication of the commodity that the forms are for.
        planning: Needs, rules and alerts.
        now: The moment of the request.
        of: Returns the newest publication of another commodity.
        picked: Destination selected in the forms.
        secret: Number of a rule just created and its secret, shown only once.
        refused: A form that was not accepted, to be shown again.
    """
    ahead = sorted(set(publication.latest["period"]))
    codes = sorted(publication.published.commodities, key=lambda code: (code != COMMODITY, code))
    shown = page(
        "needs.html.j2",
        publication,
        now=now,
        here=PLACE,
        needs=[_with_home(need) for need in all_needs(of, planning)],
        rules=queries.rules(planning),
        alerts=queries.alerts(planning),
        autocorrelation=autocorrelation_of(publication),
        destinations=[(code, name_of(code)) for code in publication.destinations],
        picked=picked,
        first=ahead[0],
        last=ahead[-1],
        commodities={code: words_of(code, publication.published.labels) for code in codes},
        listed=[code for code in codes if _is_shown(code, publication, planning)],
        magnets=COMMODITY,
        secret=secret,
        refused=refused,
    )
    if refused is not None:
        return Response(shown.body, HTTPStatus.BAD_REQUEST, media_type=shown.media)
    return reply(request, shown)


def needs_at(commodity: str, part: str = "") -> str:
    """Return the address of the page with forms of a commodity, or of a part of it."""
    asked = query_of(commodity)
    return f"{PLACE}{f'?{asked}' if asked else ''}{f'#{part}' if part else ''}"


def _with_home(need: Record) -> Record:
    return {**need, "home": home_of(need["commodity"])}


def _is_shown(commodity: str, publication: Publication, planning: PlanningState) -> bool:
    """Tell whether the page has anything of a commodity that a file could hold."""
    own = {
        publication.commodity,
        COMMODITY,
        *planning.needs["commodity"],
        *planning.rows.rules["commodity"],
    }
    return commodity in own
