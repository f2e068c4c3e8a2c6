"""Large arrays on disk, files written as a whole, memory, reading ahead."""
