"""`make bench`: speed of the line as ratios to floors measured in the same run.

A floor is what the machine cannot do without: decoding and COPYing the rows, plain Splink on the same records, copying
the same tables. Seconds belong to one machine on one day; the ratio of two times taken in turns belongs to the code.
Nothing here is a test: no run fails for being slow.

Belongs here: taking turns and times (`measure`), the floors (`floors`), the scratch platform (`platform`), the parts
(`stations`, `person_linkage`, `whole_line`), what is shown (`report`). Not here: correctness, which is tested elsewhere.
"""
