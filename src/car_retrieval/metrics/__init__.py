"""Retrieval and verification metrics: pure functions of ids, classes and scores."""
