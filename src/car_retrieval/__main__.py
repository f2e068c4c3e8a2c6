"""`python -m car_retrieval`: the packaged project, in a folder with its conf/ and data/."""

import os
import sys
from pathlib import Path
from typing import Any


def main(*args: Any, **kwargs: Any) -> Any:
    """Run pipelines, as `kedro run` does, or the command that comes first; nothing phones home."""
    os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")
    from kedro.framework.project import configure_project

    configure_project(Path(__file__).parent.name)

    from car_retrieval.cli import cli, run

    words = args[0] if args else kwargs.get("args") or sys.argv[1:]
    kwargs["standalone_mode"] = not hasattr(sys, "ps1")
    commands = {*cli.commands, *cli.lazy_subcommands}
    return (cli if words and words[0] in commands else run)(*args, **kwargs)


if __name__ == "__main__":
    main()
