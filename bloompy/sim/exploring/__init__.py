"""Exhaustive exploration: every order of messages, every crash, of a small cluster.

    model = Model(network="set", atomic=True)
    model.add(Manager, "tm", rms=("rm1", "rm2"))
    …
    found = model.explore()
    found.raise_if_failed()
    assert (found.states, found.complete) == (56, True)
"""

from bloompy.sim.exploring.counterexample import Counterexample as Counterexample
from bloompy.sim.exploring.exploration import Exploration as Exploration
from bloompy.sim.exploring.exploration import Progress as Progress
from bloompy.sim.exploring.exploration import explore as explore
from bloompy.sim.exploring.model import Model as Model
from bloompy.sim.exploring.view import NodeView as NodeView
from bloompy.sim.exploring.view import View as View
