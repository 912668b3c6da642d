"""What planners record: needs, alert rules, forecasts by others, tokens, the audit trail.

Here: rows and their rules. Not here: how they compare with forecasts (``publication.planning``).
"""
