"""``magnetcast alerts``: let the alert rules look at the newest publication."""

from flows.context.console import say


def alerts() -> None:
    """Let alert rules look at the newest publication, once each, and send what is due.

    `magnetcast run` does so after publishing; this sends again what no receiver took.
    """
    from flows.alerts.alerts import alert
    from flows.clock import utc_now
    from store.settings import Settings

    told = alert(Settings(), utc_now())
    say(
        f"alerts    {told.looked} rules looked, {told.fired} speak; webhooks took {told.taken}, "
        f"{told.failed} are still to be taken"
    )
