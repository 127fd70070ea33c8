"""Wires the stations into Dagster and into the `yihu` command line.

Belongs here: assets, checks, jobs, schedules, sensors, the command line. Does not belong here: any rule about a
delivery, a person, a household, an accuracy or a release. Those live in the stations; a function here reads its
inputs, calls one entry point and describes what came of it (counts and shares, never a person's data).
"""
