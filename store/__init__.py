"""What is stored and what it means: the vocabulary, the settings, the errors and the only SQL.

Here: rows, how they are written and read, and the one view of them as of a moment (``asof``).
Not here: where rows come from (``sources``) or what is computed from them (``features`` and up).
"""
