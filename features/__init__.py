"""From known rows to a model frame, as of one moment.

Here: what a forecaster sees (``origin``), the feature catalogue and the one entry point
(``build``). Not here: models, or anything that reads a clock.
"""
