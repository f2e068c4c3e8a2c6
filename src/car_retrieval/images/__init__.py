"""From files as they come to one matrix of upright RGB squares."""
