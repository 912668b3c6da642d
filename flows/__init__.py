"""When things run: Prefect flows over plain functions, the clock and the command line.

Public: ``run`` (the main job), ``ingest``, ``backtest``, ``train``, ``predict``, ``cli``, ``clock``. Private:
``workspace`` (store and history of one as_of), ``console`` (progress), ``provenance`` (the git commit).
"""
