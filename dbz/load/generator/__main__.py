"""`python -m dbz.load.generator`: one load generator process, told what to do by `DBZ_LOAD_SPEC`."""

import gc

gc.disable()  # a search for garbage in what is being loaded is a sixth of the start

from dbz.load.generator.patching import patch_standard_library  # noqa: E402

patch_standard_library()

import os  # noqa: E402
import sys  # noqa: E402

from dbz.children import raise_open_files  # noqa: E402
from dbz.errors import DbzError, ExitCode  # noqa: E402
from dbz.load.generator.process import execute  # noqa: E402
from dbz.load.spec import ENVIRONMENT_KEY, ERROR_PREFIX, GeneratorSpec, ProcessEnd  # noqa: E402

gc.enable()


def main() -> int:
    """Run; what the user must know of a failure is the log's line that begins with `dbz-error:`."""
    raise_open_files()
    spec = GeneratorSpec.from_json(os.environ.pop(ENVIRONMENT_KEY))
    try:
        execute(spec)
    except DbzError as error:
        _tell(error.code, error.message)
        return int(ProcessEnd.USAGE if error.exit_code is ExitCode.USAGE else ProcessEnd.UNREACHABLE)
    except SystemExit as ending:  # of a task or a listener: gevent raises it here, wherever it was raised
        _tell("L020", f"the scenario ended the program with code {ending.code}")
        return int(ProcessEnd.ENDED_BY_SCENARIO)
    return int(ProcessEnd.COMPLETE)


def _tell(code: str, message: str) -> None:
    sys.stderr.write(f"{ERROR_PREFIX}{code} {message}\n")


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Users that do not end (a scenario may swallow every exception) must not keep a finished process alive.
    os._exit(code)
