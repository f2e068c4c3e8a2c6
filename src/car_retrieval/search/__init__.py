"""Finding the nearest descriptors."""
