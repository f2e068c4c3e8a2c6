"""Invented names of makes and models."""

MAKE_HEADS = (
    "Al", "Bo", "Cor", "Da", "El", "Fa", "Gri", "Hal", "Ive", "Jun", "Kes", "Lum", "Mar",
    "Nor", "Or", "Pel", "Qui", "Ros", "Sil", "Tor", "Ur", "Vel", "Wes", "Yar", "Zan",
)  # fmt: skip
MAKE_TAILS = ("vex", "dane", "rion", "mara", "lund", "tis", "wick", "zel")


def make_name(make: int) -> str:
    """An invented name; the second make's ends in a blank, as two of the real ones do."""
    head, tail = MAKE_HEADS[make % len(MAKE_HEADS)], MAKE_TAILS[make % len(MAKE_TAILS)]
    series = make // (len(MAKE_HEADS) * len(MAKE_TAILS))
    return f"{head}{tail}" + (f" {series + 1}" if series else "") + (" " if make == 1 else "")


def model_name(make: int, body: str, rank: int) -> str:
    """The make's name with a type; rank 0 is padded with a blank, rank 1 is not ASCII."""
    name = f"{make_name(make).strip()} {body[0].upper()}{1 + rank % 9}"
    return name + {0: " ", 1: " π"}.get(rank, "")
