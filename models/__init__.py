"""From known facts to a forecast, and the record of how it was computed.

Here: forecasters, their evaluation, monitoring and registry, scenarios. Not here: when anything
runs (``flows``) or how it is shown (``publication``).
"""
