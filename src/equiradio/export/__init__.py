"""Trained networks as ordinary convolutions, and as files that need no equiradio."""
