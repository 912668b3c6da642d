"""How the installation is, for programs; `metrics` has the figures."""

from fastapi import APIRouter

from service.api.models import AlarmResponse, Status
from service.live.state import HowItIs

router = APIRouter(tags=["status"])


@router.get("/status")
async def status(found: HowItIs) -> Status:
    """Tell what stands, what is wrong and what to do about it, in words."""
    alarms = [
        AlarmResponse(
            alarm=one.name, broken=one.is_broken, words=one.words, remedy=list(one.remedy)
        )
        for one in found.alarms
    ]
    return Status(
        at=found.at.to_pydatetime(),
        code=found.code,
        headline=found.headline,
        lines=list(found.lines),
        alarms=alarms,
    )
