"""Decode photos, and pack them as upright RGB squares in one matrix."""
