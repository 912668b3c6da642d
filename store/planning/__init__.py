"""What planners record: needs, alert rules, overrides, tokens, and the audit trail of all writes.

Here: rows and their rules. Not here: how they compare with forecasts (``service.planning``).
"""
