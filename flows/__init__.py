"""When things run: Prefect flows over plain functions, the clock and the command line.

Public: ``run`` (the main job), ``ingest``, ``backtest``, ``train``, ``predict``, ``cli``,
``clock``.
Private: ``workspace`` (history of one as_of), ``stores`` (the open store, one writer), ``orders``
(what can be ingested), ``actor``, ``main``, ``replay``, ``status`` and ``output`` (what the command
line prints), ``unknowns`` (what a forecast could not know), ``console`` (progress), ``provenance``
(the git commit), ``publications``, ``explain`` and ``changes`` (why a published number is what it
is, and what changed it), and the ``*_commands`` of ``cli``.
"""
