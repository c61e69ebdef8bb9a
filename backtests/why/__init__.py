"""One bar of a run explained from the run's own folder."""
