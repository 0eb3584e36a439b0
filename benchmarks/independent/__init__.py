"""Checks of certificates that share no code with what they check: laws, curves and directions of their own."""
