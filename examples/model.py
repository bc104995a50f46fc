"""Which chat model writes."""

import os
from importlib import import_module

from langchain_core.language_models import BaseChatModel


def chat_model(offline: BaseChatModel) -> BaseChatModel:
    """Return the model that TASKREEL_MODEL names as "provider:model", or else `offline`.

    Raises RuntimeError, which names what to install, when the variable is set and langchain is missing.
    """
    name = os.environ.get("TASKREEL_MODEL", "")
    return _named(name) if name else offline


def _named(name: str) -> BaseChatModel:
    try:
        models = import_module("langchain.chat_models")
    except ModuleNotFoundError as missing:
        raise RuntimeError(
            f"TASKREEL_MODEL={name} needs langchain: pip install 'taskreel[models]'"
        ) from missing
    return models.init_chat_model(name)
