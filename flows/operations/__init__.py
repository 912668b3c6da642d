"""Running unattended: local servers, their supervisor, deployments and automations.

Not here: judging whether the forecasts are good (``flows.monitoring``).
"""
