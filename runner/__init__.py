"""The command line, the campaign file, the plan, worker entry points, Dask graphs and clusters."""
