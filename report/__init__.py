"""Figures of a finished store, from its catalog and Parquet files only.

A store enters; PNG files leave. ``figures.py`` draws cells and the overview, ``fit_figures.py`` fits,
``error_figures.py`` errors, ``cleaning_figures.py`` raw against cleaned data, ``life_figures.py`` parameters along
life. They read the store and call ``draw/``, which knows Matplotlib only.
"""
