"""From settings to a run folder."""
