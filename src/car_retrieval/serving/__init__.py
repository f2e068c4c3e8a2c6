"""Search by photo: what a run left, opened once and asked often."""
