"""What is kept and what it means.

Public: ``vocabulary`` (closed sets, codes, column names), ``schemas`` (pandera), ``settings``,
``errors``, ``tables`` and ``database`` (the only SQL), ``migrations`` (Alembic).
"""
