"""Needs, rules, alerts and overrides beside the forecast, the Atom feed and webhooks.

Not here: their rows (``store.planning``).
"""
