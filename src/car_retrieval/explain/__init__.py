"""Explain the similarity of two photos by their parts."""
