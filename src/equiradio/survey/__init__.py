"""Survey: a catalogue and its images in, a classified catalogue out, shard by shard."""
