"""How checkpoints are read back: as data. What may be rebuilt as an object is named, class by class.

LangGraph's own serializer makes, unless told otherwise, any object that a checkpoint names; whoever can write
to Redis could then run code in a worker.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel
from pydantic_settings import BaseSettings


def data_classes(*modules: str) -> frozenset[tuple[str, str]]:
    """The data classes, as (module, name), that are defined in the packages those loaded modules lie in.

    Those are pydantic models, dataclasses, enums and named tuples: to rebuild one calls its constructor and
    nothing else. Settings are left out, since theirs reads the environment; so is what is not loaded yet.
    """
    inside = tuple(f"{sys.modules[name].__package__ or name}." for name in modules)
    loaded = [(name, module) for name, module in sys.modules.items() if f"{name}.".startswith(inside)]
    return frozenset(
        (name, value.__name__)
        for name, module in loaded
        for value in list(vars(module).values())
        if isinstance(value, type) and value.__module__ == name and _is_data(value)
    )


def _is_data(cls: type[Any]) -> bool:
    if issubclass(cls, BaseModel | Enum):
        return not issubclass(cls, BaseSettings)
    return is_dataclass(cls) or (tuple in cls.__bases__ and "_fields" in vars(cls))


class StrictSerializer(JsonPlusSerializer):
    """Reads msgpack and bytes only, and makes objects of allowed classes only.

    An object of any other class comes back as the plain data it was stored as, with a warning in the log.

    Args:
        allowed: (module, name) of classes, beyond LangGraph's own list of harmless ones: times, messages, ...
    """

    def __init__(self, allowed: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(allowed_msgpack_modules=tuple(allowed))

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Refuses pickle, and JSON too, which can name constructors and which nothing of ours writes.

        Raises:
            ValueError: a type that this class doesn't write.
        """
        if data[0] not in ("null", "bytes", "bytearray", "msgpack"):
            raise ValueError(f"a value of type {data[0]!r} in a checkpoint is refused")
        return super().loads_typed(data)
