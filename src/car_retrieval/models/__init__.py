"""Networks that turn a photo into a descriptor, and how they are trained."""
