"""What a process says of itself while it runs: log lines, and the trace that its work is part of."""
