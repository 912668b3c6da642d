"""What is kept and what it means: the vocabulary, the settings, the errors and the only SQL.

Here: rows and how they are written and read. Not here: where rows come from (``sources``) or what
is computed from them (``features`` and up).
"""
