"""Python imports this by itself where the folder is in PYTHONPATH: it plants the bug that `CHAOS_PLANT` names."""

import os
import sys
from importlib.machinery import PathFinder

import bugs

PLANT = os.environ.get("CHAOS_PLANT", "")


class Planter:
    """A finder that hands each module which a plant wants to change to that plant, once it is loaded."""

    def find_spec(self, name, path=None, target=None):
        """Like the ordinary one, but what it finds is changed after it was loaded."""
        change = bugs.PLANTS[PLANT].get(name)
        spec = PathFinder.find_spec(name, path, target) if change else None
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_change(module):
            load(module)
            change(module)

        spec.loader.exec_module = load_and_change
        return spec


if PLANT:
    sys.meta_path.insert(0, Planter())
