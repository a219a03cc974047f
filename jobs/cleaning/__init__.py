"""Cleaning: rules that correct, fill, flag or quarantine the samples of one cell's record.

A raw table and :class:`~kilocell.data.settings.CleanSettings` enter; the cleaned samples, the quarantined rows and a
report leave. Nothing is dropped silently: each rule counts what it changed. ``clean.py`` holds the order of the
rules; read it first. Each rule is a function of a frame that returns an outcome (``rule.py``). A new rule is a module
or function here, a line in ``clean.py``, and its words in ``data/rules.py``.

A threshold that the user can change is a field of the settings. The others are constants at the top of the rule's
module. The text below each constant gives its unit, its meaning and its evidence. "Chosen, not measured" means that no
study of this one value is recorded. ``docs/cleaning.md`` gives the recall and precision of the rules with all values
as they are.
"""
