"""Where durable tables are kept."""

from bloompy.stores.embedded import EmbeddedStore
from bloompy.stores.memory import MemoryStore

__all__ = ["EmbeddedStore", "MemoryStore"]
