"""How many examples a property test tries that is too slow for the usual number."""

from hypothesis import settings


def few(most: int) -> settings:
    """Return the settings of a test that tries ``most`` in all tests, a fifth in the quick ones."""
    return settings(max_examples=max(3, most * settings().max_examples // 50))
