"""Sound files: the prompts a caller hears and what was recorded of a call."""
