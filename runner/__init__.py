"""From a command to a run: command line, campaign, plan, Dask graphs, clusters and worker entry points.

The subpackages, from the bottom up: ``campaign`` and ``cluster``, ``plan``, ``worker``, ``run``, ``show``, ``inspect``
and ``export``, ``commands``, ``cli``. Each imports only those before it. Start with ``run/run_campaign.py``.
"""
