"""What was observed of a board and its members: pure functions from live objects to conditions."""
