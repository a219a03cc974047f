"""Fitting: find the parameters that bring a model closest to the measured voltage, from many starts.

Cleaned samples and :class:`~kilocell.data.fit_settings.FitSettings` enter; the results of starts, the best fit with
95 % intervals and a verdict, and profile likelihoods leave. ``fit.py`` runs a start and judges all of them,
``objective.py`` computes residuals and their Jacobian, ``search.py`` calls SciPy.
"""
