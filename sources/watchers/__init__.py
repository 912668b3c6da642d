"""Watchers of official documents: what they find waits for a person to decide on.

Here: the Federal Register and the US tariff schedule. Not here: anything that enters forecasts
without review.
"""
