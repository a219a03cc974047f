"""Current profiles: the measured current as a few knots that PyBaMM follows without losing charge.

Cleaned samples go in; knots (time, current, temperature) come out, with a bound on the voltage error of the
compression. Start with ``compress``; ``temperature`` does the same for the temperature, ``model_input`` turns knots
into inputs of a built model, and ``compression_error`` estimates the voltage error.
"""
