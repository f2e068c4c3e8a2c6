"""Kedro dataset types of the project."""
