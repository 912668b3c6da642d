"""The version and the model that publish."""

from flows.context.stores import store_to_read
from models.quantile_model import TrainedModel
from models.registry import model_registry
from models.registry.champions import read_champions
from models.registry.stored_model import MODEL
from store.publications.publication_rows import RegisteredVersion
from store.settings import Settings


def champion_of(settings: Settings, name: str = MODEL) -> RegisteredVersion | None:
    """Version that publishes."""
    with store_to_read(settings) as engine:
        return read_champions(settings, engine, name).champion


def champion_model(settings: Settings) -> TrainedModel:
    """Return the champion, ready to predict."""
    holder = champion_of(settings)
    return model_registry.load(settings, holder.version)
