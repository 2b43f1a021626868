"""The command: one file per verb, settings in, one call, path out."""
