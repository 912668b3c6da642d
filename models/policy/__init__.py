"""The response to controls and tariffs: what remains of trade, from analogs, and scenarios.

Here: response curves, their effect on a forecast, what-if. Not here: which acts are known
(``features.controls``).
"""
