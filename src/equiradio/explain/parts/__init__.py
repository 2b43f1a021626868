"""The parts of an explanation, one file each, with ``measure`` and ``sections``."""
