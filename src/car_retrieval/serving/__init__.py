"""Search by photo in the results of a run."""
