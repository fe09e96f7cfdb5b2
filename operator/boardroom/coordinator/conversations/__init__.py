"""What members said before in the same conversation."""
