"""The living gallery: photos added, corrected and removed since a run."""
