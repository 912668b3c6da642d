"""The model that publishes, read back from the registry."""

from models.quantile_model import TrainedModel
from models.registry import model_registry
from store.settings import Settings


def champion_model(settings: Settings) -> TrainedModel:
    """Return the champion, ready to predict."""
    holder = model_registry.champion(settings)
    assert holder is not None
    return model_registry.load(settings, holder.version)
