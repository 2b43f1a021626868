"""Open trained networks and ask them."""
