"""All tests; a package only so that `python -m tests.synthetic` and imports of the synthetic sub-district work."""
