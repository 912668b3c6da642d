"""Rows from the outside world, one provider a module, one small contract (``base``).

Here: fetching, reading and checking. Not here: storing rows (``store``) or using them
(``features``).
"""
