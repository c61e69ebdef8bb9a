"""The accelerated run-once loop: which bars must be played, and who is told of the others."""
