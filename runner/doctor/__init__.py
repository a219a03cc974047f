"""``kilocell doctor``: check whether this computer can run kilocell, and say what to do where it cannot.

Start with ``examine.py``. Each module checks one topic and returns a :class:`check.Check` for each thing it looked at.
No check raises, and none takes more than a few seconds. PyBaMM is imported only in a process of its own.
"""
