"""Answers about published forecasts: explanations, changes, scenarios.

Not here: making or publishing forecasts.
"""
