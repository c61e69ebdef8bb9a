"""What the command line's verbs do, and how they speak: outcomes, progress, colours."""
