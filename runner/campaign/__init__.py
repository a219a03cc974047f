"""The campaign: what the user wants, read from a TOML file, checked, and resolved for each cell.

A path enters; a :class:`~kilocell.runner.campaign.campaign.Campaign` leaves, or an error that names the key, the value
and the nearest right one. ``schema`` and ``fit_schema`` define the file, ``fields`` its values, ``checks`` what must
hold between tables. Fits that were added on the command line live in ``added_fits`` and ``fit_request``.
"""
