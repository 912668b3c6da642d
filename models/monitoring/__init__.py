"""Whether forecasts can still be trusted: drift, freshness, contradictions.

Here: measurements and their bounds. Not here: alarms and what to do (``flows.monitoring``).
"""
