"""Pipelines: thin nodes around the craft, and their wiring."""
