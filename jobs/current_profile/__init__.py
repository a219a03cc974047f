"""Current profiles: the measured current as a few knots that PyBaMM can follow without loss of charge.

Cleaned samples enter; knots (time, current, temperature) leave, with a bound of the voltage error that the
compression causes. Start with ``compress.py``; ``model_input.py`` turns knots into the inputs of a built model.
"""
