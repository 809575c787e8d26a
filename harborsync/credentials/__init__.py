"""The porter: who we are to each registry."""
