"""Clusters: open a LocalCluster, Slurm jobs or a given scheduler, and close what was opened.

Cluster settings enter; a Dask client with running workers leaves. Start with ``open.py``. ``slurm.py`` submits jobs
through dask-jobqueue, ``slurm_watch.py`` notices lost ones, ``workers.py`` sets up each worker process.
"""
