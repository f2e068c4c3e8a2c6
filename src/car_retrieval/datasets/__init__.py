"""Kedro dataset types: how the project's data lies on disk."""
