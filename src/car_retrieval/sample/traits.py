"""The traits that the models are made of: styles of parts, and proportions of bodies."""

from typing import NamedTuple

GRILLES = (
    "bars", "slots", "kidney", "frame", "mesh", "slim", "oval", "wing", "spindle", "closed",
    "twin", "shield",
)  # fmt: skip
LAMPS = ("round", "oval", "block", "wedge", "drop", "split", "twin", "hook", "slit")
EMBLEMS = ("disc", "diamond", "triangle", "bar", "cross", "square", "star", "ring")
FOGS = ("none", "round", "slot", "blade", "corner")
INTAKES = ("none", "wide", "smile", "frown", "triple")
CREASES = ("none", "pair", "vee", "ridge")


class Proportions(NamedTuple):
    """A typical body of its kind, in metres; the rakes of the windows are horizontal runs.

    Attributes:
        belt: Height of the line below the side windows, as a share of the height.
        trim: How often such a car is clad in dark plastic, 0 to 1.
        rails: How often it carries roof rails, 0 to 1.
    """

    length: float
    width: float
    height: float
    clearance: float
    bonnet: float
    rake: float
    boot: float
    rear_rake: float
    belt: float
    wheel: float
    trim: float
    rails: float


BODIES = {
    "sedan": Proportions(4.7, 1.80, 1.44, 0.17, 1.15, 0.72, 0.62, 0.70, 0.64, 0.33, 0.2, 0.0),
    "hatchback": Proportions(4.0, 1.72, 1.52, 0.18, 0.95, 0.66, 0.08, 0.40, 0.61, 0.33, 0.2, 0.0),
    "suv": Proportions(4.6, 1.90, 1.76, 0.27, 1.12, 0.50, 0.06, 0.30, 0.64, 0.37, 0.7, 0.6),
    "van": Proportions(4.6, 1.84, 1.92, 0.20, 0.66, 0.62, 0.05, 0.16, 0.56, 0.37, 0.2, 0.6),
    "coupe": Proportions(4.4, 1.88, 1.27, 0.13, 1.32, 0.78, 0.40, 0.95, 0.66, 0.33, 0.2, 0.0),
    "pickup": Proportions(5.1, 1.90, 1.78, 0.30, 1.22, 0.48, 1.45, 0.14, 0.62, 0.37, 0.7, 0.0),
}
