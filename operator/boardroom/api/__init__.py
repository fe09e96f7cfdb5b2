"""The nouns: what users write, what the status says, what is asked and answered. Imports no other room."""
