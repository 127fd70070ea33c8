"""Readers: bytes to sheets of rows, one file a format; nothing about lists or persons."""
