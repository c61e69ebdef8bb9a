"""One suite that every venue inherits: what a live session may expect of it, and it of a venue."""
