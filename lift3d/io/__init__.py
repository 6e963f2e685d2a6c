"""Readers of the 2D files that people bring and writers of the 3D files that they take away, one module a format."""
