"""Reads an architecture that no family row describes from the fields of its config.json."""
