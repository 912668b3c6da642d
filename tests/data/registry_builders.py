"""The model that publishes, read back from the registry."""

from models.registry import model_store, registry
from models.registry.model_store import LoadedModel
from store.settings import Settings


def champion_model(settings: Settings) -> LoadedModel:
    """Return the champion, ready to predict."""
    holder = registry.champion(settings)
    assert holder is not None
    return model_store.load(settings, holder.version)
