"""Where work runs: an executor spreads parts, cutoffs and trials over processes or workers.

Here: the protocol and panels in parts. Not here: Dask or Prefect (``flows.panels``).
"""
