"""Needs, rules, alerts and forecasts by others beside the forecast, and the Atom feed.

Not here: their rows (``store.planning``).
"""
