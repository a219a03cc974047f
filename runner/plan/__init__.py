"""The plan: which jobs a campaign needs, and which of them must run.

A campaign and its scanned files enter; jobs in the order of their needs leave, each with its digest and the reason
to run it. ``scan.py`` finds the cells in raw files, ``plan.py`` makes jobs, ``job.py`` defines them (with
``JOB_VERSIONS``), ``select_jobs.py`` selects the ones of a command.
"""
