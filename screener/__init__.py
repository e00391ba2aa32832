"""Screens the calls to a SIP landline before the telephone rings."""

__version__ = "0.1.0"
