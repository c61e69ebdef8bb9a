"""What the verbs of live trading do; every function returns an `Outcome` to show."""
