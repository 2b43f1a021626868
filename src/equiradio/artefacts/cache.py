"""The user's cache folder: what may be lost and made again."""

from pathlib import Path


def user_cache() -> Path:
    """Where this user's caches of equiradio lie; need not exist yet."""
    try:
        from platformdirs import user_cache_path
    except ImportError:  # machines with the PyTorch stack alone
        return Path.home() / ".cache" / "equiradio"
    return user_cache_path("equiradio", appauthor=False)
