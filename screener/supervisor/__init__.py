"""The small process that outlives the screener: starts it, hears it, frees its calls if it dies.

It loads nothing of the screener but what hands calls back, so that there is little in it that could
fail, and nothing left to be loaded when somebody waits on the line.
"""
