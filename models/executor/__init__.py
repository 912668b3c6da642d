"""Where work runs: an executor takes parts, cutoffs and trials, here or on workers.

Here: the protocol and the one for this process. Not here: Dask or Prefect (``flows.panels``).
"""
