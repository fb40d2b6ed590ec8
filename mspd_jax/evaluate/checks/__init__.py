"""Checks of an evaluation: what makes such numbers wrong, and whether it shows."""
