"""Simulation: drive a model with a cell's measured current and compare its voltage with the measured one.

Cleaned samples and :class:`~kilocell.data.settings.SimulateSettings` enter; a frame of simulated samples and a result
with its errors leave. ``simulate.py`` reads from top to bottom: it selects cycles, splits them into stretches, resolves
the settings (``models/simulation_case.py``), tries attempts from fast to careful, and compares. ``conditions.py`` finds
the initial state, ``replay.py`` solves one profile.
"""
