"""Export controls as known at an origin: on magnets, on other minerals, in scenarios.

Here: acts, relaxations, analogs and scenario levers as arrays. Not here: the response to them
(``models.policy``).
"""
