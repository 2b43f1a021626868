"""The speed of this machine."""
