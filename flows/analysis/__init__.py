"""Answers about published forecasts: explanations, changes, scenarios, attribution.

Not here: making or publishing forecasts.
"""
