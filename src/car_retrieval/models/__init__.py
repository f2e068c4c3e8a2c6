"""Networks that compute descriptors of photos."""
