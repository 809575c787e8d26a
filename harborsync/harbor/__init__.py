"""Harbor's own interface, ``/api/v2.0``: beside the images, everything Harbor keeps about them.

This package is light: nothing of it is loaded before it is used.
"""
