"""Cameras, projection, triangulation, alignment and rotations: arrays in, arrays out, no files."""
