"""Checks that the limits of clients go with their keys and with the stack's models."""

from collections.abc import Collection, Iterator, Mapping

from config.client_keys import CLIENT_KEYS, how_to_set
from config.errors import ConfigError, nearest_of
from config.settings.client import ClientSettings
from config.settings.model import ModelSettings
from vllm_eks.stack_files.wording import key_path


def client_errors(
    clients: Mapping[str, ClientSettings],
    models: Mapping[str, ModelSettings],
    *,
    with_keys: Collection[str],
    project: str,
) -> Iterator[ConfigError]:
    """Yield an error for each client without a key, and for each model that the stack does not have."""
    for name, client in clients.items():
        if name not in with_keys:
            yield ConfigError(
                key=key_path(f"{project}:{CLIENT_KEYS}", name),
                text=f"is missing, but {key_path('clients', name)} has limits for this client: run {how_to_set(name)}, "
                f"or remove its limits",
            )
        listed = client.models or ()
        for index, model in enumerate(listed):
            if model in listed[:index]:
                place = key_path(f"{project}:clients", name, "models", index)
                yield ConfigError(key=place, text=f"{model!r} is listed twice: remove one")
            elif models and model not in models:
                yield ConfigError(
                    key=key_path(f"{project}:clients", name, "models", index),
                    text=f"{model!r} is not a model of this stack: {nearest_of(model, models, 'the models')}",
                )
