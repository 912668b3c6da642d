"""What an event did: attribution against counterfactual paths, and trade diversion.

Here: donors, placebo tests, diversion windows. Not here: forecasts of events to come
(``models.policy``).
"""
