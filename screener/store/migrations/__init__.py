"""The schema of the database from the first table on, step by step."""
