"""Shared fraud lists: fetched, checked, compiled into a file each, looked up in microseconds."""
