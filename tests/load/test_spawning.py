"""Users come evenly, as many and of the classes that Locust would start, and are counted as they come and go."""

import subprocess
import sys


def test_users_come_evenly_and_are_those_of_locust() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.load.spawning"], capture_output=True, text=True, timeout=300)
    assert done.stdout.endswith("as Locust\n"), done.stderr
