"""Whether forecasts can still be trusted: drift, plausibility, service levels.

Here: measurements and their bounds. Not here: alarms and what to do (``flows.monitoring``).
"""
