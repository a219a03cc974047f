"""The plan: which jobs a campaign needs, and which of them must run.

The cells' plans and the scanned raw files enter; jobs leave, each after those it needs, with its digest and the reason
to run it. ``scan.py`` finds the cells in raw files, ``plan.py`` makes jobs, ``job.py`` defines them (with
``JOB_VERSIONS``), and ``select_jobs.py`` selects the jobs of a command.
"""
