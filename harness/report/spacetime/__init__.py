"""Space-time diagrams of simulated runs: who said what to whom, in which order.

`focus` finds in the evidence where to look; `spacetime` draws that part of the log of a world.
"""

from harness.report.spacetime.diagram import MESSAGES_MAX, NODES_MAX, Diagram, spacetime
from harness.report.spacetime.focus import Focus, Moment, focus

__all__ = ["MESSAGES_MAX", "NODES_MAX", "Diagram", "Focus", "Moment", "focus", "spacetime"]
