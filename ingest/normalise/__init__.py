"""Normalisers: pure functions from a cell to a value, one file a kind of value; no database, no keys."""
