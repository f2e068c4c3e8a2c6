"""Retrieval and verification metrics: pure functions on ids, classes and scores."""
