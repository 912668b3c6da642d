"""The feature families of the model frame: trade, dynamics, tariffs, policy, calendar.

Here: one module a family, each with its catalogue entries. Not here: how the frame is put together
(``features.build``).
"""
