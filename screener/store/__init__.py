"""What outlives a restart: the call log, the household's lists, and the shared fraud list."""
