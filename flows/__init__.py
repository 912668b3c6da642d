"""When things run: Prefect flows over plain functions, the clock and the command line.

Public: ``run`` (the main job), ``ingest``, ``backtest``, ``train``, ``predict``, ``cli``,
``clock``.
Private: ``workspace`` (store and history of one as_of), ``main``, ``replay``, ``status`` and
``output`` (what the command line prints), ``unknowns`` (what a forecast could not know),
``console`` (progress), ``provenance`` (the git commit).
"""
