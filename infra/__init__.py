"""The ground floor: settings, warehouse, keys, mail, clock and calendar. It imports libraries only.

No list, no person and no rule of the programme is known here; those belong to the stations.
"""
