"""``python -m lift3d`` is the command ``lift3d``."""

from lift3d.cli.main import main

main()
