"""What is decided, and about whom: numbers, lists, policy, call record; pure, no clock."""
