"""The sieve: which artifacts are wanted."""
