"""Networks that turn a photo into a descriptor."""
