"""Figures of a finished store, made from its catalog and Parquet files only.

``figures.py`` plots cells and the overview, ``fit_figures.py`` fits, ``error_figures.py`` errors by window and step
type, ``cleaning_figures.py`` raw against cleaned data, ``life_figures.py`` parameters along life. These modules read
the store, call ``draw/`` (Matplotlib only), and write PNG and PDF files.
"""
