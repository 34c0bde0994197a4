"""Is this tracking number one at all."""

from stream.tracking.placeholders import is_placeholder

__all__ = ["is_placeholder"]
