"""Which parts of two photos make them similar."""
