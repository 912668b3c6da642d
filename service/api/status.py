"""System status for programs; `metrics` has the figures."""

from fastapi import APIRouter

from service.api.models import AlarmResponse, Status
from service.live.state import Health

router = APIRouter(tags=["status"])


@router.get("/status")
async def status(found: Health) -> Status:
    """Return the state of the system, its alarms and their remedies in words."""
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
