"""Rows from the outside world, one provider a module, one way to call them (``http``).

Here: fetching, reading and checking. Not here: storing rows (``store``) or using them
(``features``).
"""
