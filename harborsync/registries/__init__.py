"""The store rooms: every kind of place that holds artifacts."""
