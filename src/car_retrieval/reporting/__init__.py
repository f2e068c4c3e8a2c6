"""Figures, galleries of retrieved photos and the one-file HTML report."""
