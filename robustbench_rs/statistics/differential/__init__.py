"""The differential method (Yang et al. 2020): R = integral of dp / Phi(p) from 1 - pA to 1/2, Phi proved from above."""
