"""Needs, rules, alerts and forecasts by others beside the forecast, the Atom feed and webhooks.

Not here: their rows (``store.planning``).
"""
