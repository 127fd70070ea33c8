"""A synthetic sub-district: people, monthly deliveries with ordinary dirt, and the truth of every row.

Used by `make demo`, tests and benchmarks. Nothing here imports a station (`ingest`, `linkage`, …): what judges the
platform must not share its code. Everything is drawn from one seed; the same seed gives the same bytes.

Belongs here: the world (`population`), how departments write about it (`cards`, `lists`, `deliveries`), ordinary bad
files (`bad_files`), and the two judges: `evaluate` for linkage, `inspectors` for the audit sheets. Not here: tests.
"""
