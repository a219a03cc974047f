"""Figures of a finished store, drawn from its catalog and Parquet alone."""
