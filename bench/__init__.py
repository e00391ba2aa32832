"""Measurements: what screening costs, side by side with a plain dialplan in one run."""
