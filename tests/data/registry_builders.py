"""The model that publishes, read back from the registry."""

from models.registry import registry
from models.registry.registry import LoadedModel
from store.settings import Settings


def champion_model(settings: Settings) -> LoadedModel:
    """Return the champion, ready to predict."""
    holder = registry.champion(settings)
    assert holder is not None
    return registry.load(settings, holder.version)
