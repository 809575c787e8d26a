"""The least that a login must be allowed to do, as data: one module for each kind of registry."""
