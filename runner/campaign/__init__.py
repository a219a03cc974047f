"""The campaign: what the user wants, read from a TOML file, checked, and resolved for each cell.

A path enters; a :class:`~kilocell.runner.campaign.campaign.Campaign` leaves, or an error that names the key, the value
and the nearest valid name. ``schema`` and ``fit_schema`` define the file, ``fields`` its kinds of values, ``checks``
the rules between tables. ``cell_plan`` resolves the campaign for each cell once; everything later uses its result.
Fits that were added on the command line are in ``added_fits`` and ``fit_request``.
"""
