"""Prepared studies: what is run for a question, what is found, and what can be said of it."""
