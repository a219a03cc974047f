"""What a worker process does: run one job, from reading its inputs to writing its receipt.

A store's path and a job enter; an outcome of a few hundred bytes leaves, and the receipt is the last file written.
Start with ``run_job.py``. ``cell_tasks.py`` and ``fit_tasks.py`` run each kind of job, ``inputs.py`` reads the results
of earlier jobs, and ``compile.py`` with ``model_cache.py`` compiles models.
"""
