"""The cable: the only place that speaks HTTP."""
