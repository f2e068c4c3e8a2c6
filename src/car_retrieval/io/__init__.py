"""Large arrays on disk, memory, and reading in the background."""
