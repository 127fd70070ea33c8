"""Makes a platform in YIHU_HOME whose first release is up and whose next month is ready to be landed.

A process of its own, for tests that run the `yihu` command against a home that is not the one of their process:

    python -m tests.pipeline.ready_street FOLDER HOUSEHOLDS

Leaves FOLDER/landing, FOLDER/second (the deliveries of the second month, not yet landed) and FOLDER/synthetic.
"""

import shutil
import sys
from pathlib import Path

from tests.pipeline.street import MONTHS, audit_into
from tests.synthetic.deliveries import Rounds
from tests.synthetic.dirt import Dirt
from tests.synthetic.population import World


def make(folder: Path, households: int) -> None:
    """The lists of the first month and its audit through the line; then the second month into `FOLDER/second`."""
    from orchestration.line import refresh_line
    from orchestration.platform import open_platform

    (month, as_of), (second, _) = MONTHS[:2]
    landing = folder / "landing"
    rounds = Rounds(World.create(20, households, month, None), Dirt.default(), folder / "synthetic")
    shutil.copytree(rounds.deliver(month), landing, dirs_exist_ok=True)
    platform = open_platform()
    outcomes = [refresh_line(landing, as_of, platform=platform).outcome]
    audit_into(platform.engine, folder, landing, month, as_of)
    outcomes.append(refresh_line(landing, as_of, platform=platform).outcome)
    shutil.copytree(rounds.deliver(second), folder / "second", dirs_exist_ok=True)
    platform.warehouse.close()
    if outcomes != ["gate_refused", "released"]:
        raise SystemExit(f"the street is not ready: {outcomes}")


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
