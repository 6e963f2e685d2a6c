"""Several cameras become one 3D scene: triangulation, swaps of sides, refinement over time, synchronisation."""
