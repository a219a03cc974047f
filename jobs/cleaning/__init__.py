"""Cleaning: rules that correct, fill, flag or quarantine the samples of one cell's record.

A raw table and :class:`~kilocell.data.settings.CleanSettings` enter; the cleaned samples, the quarantined rows and a
report leave. Nothing is dropped silently: each rule counts what it changed. ``clean.py`` holds the order of the
rules; read it first. Each rule is a function of a frame that returns an outcome (``rule.py``). A new rule is a module
or function here, a line in ``clean.py``, and its words in ``data/rules.py``.
"""
