"""Labelled sources: data sets by name, folders, splits. No torch."""
