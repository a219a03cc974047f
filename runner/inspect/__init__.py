"""First look at raw files: how a file would be read, and a campaign file written from guesses.

Paths enter; a description (``kilocell inspect``, ``raw_file.py``) or a campaign file (``kilocell init``,
``new_campaign.py``) leaves. Guesses are marked as guesses.
"""
