"""Decoding of photos, and packing as upright RGB squares in one matrix."""
