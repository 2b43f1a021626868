"""How a convolution between regular fields is computed: one file a form, the same numbers from each."""
