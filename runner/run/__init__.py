"""One run of a campaign: send jobs to the cluster, record receipts in the catalog, show progress.

A campaign enters; a summary leaves. Start with ``run_campaign.py``. ``graph.py`` builds the Dask graph, ``record.py``
writes the catalog (only the client process does), and ``lock.py`` refuses a second run on the same store.
"""
