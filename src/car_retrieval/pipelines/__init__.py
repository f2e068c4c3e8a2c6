"""The pipelines: thin nodes around the craft, and how they are wired."""
