"""From known facts to a forecast, and the record of how it was computed.

Here: forecasters, their evaluation, explanation and registry. Not here: when anything runs
(``flows``) or how it is shown (``service``).
"""
