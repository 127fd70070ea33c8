"""Door-level addresses (domain.md 3.2): the grammar, the gazetteer of known compounds, and how it learns.

``parser`` reads an address with ``door``, ``preparation``, ``grammar`` and a snapshot of the ``gazetteer``; all of that is
pure text work. ``entries``, ``learning``, ``decisions`` and ``rekeying`` keep the gazetteer in the database: what is learned
is proposed, and read with only once a person has approved it. Not here: the words for regions (``normalise.regions``),
and how spellings of a compound are united by the people who live there (``linkage``).
"""
