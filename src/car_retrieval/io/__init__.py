"""Matrices on disk, atomic writes, memory and prefetching."""
