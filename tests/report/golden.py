"""The golden reports: `python -m tests.report.golden` makes them again, for a look at the difference."""

from __future__ import annotations

import io
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from dbz.measure.compare.terms import ComparisonTerms
from dbz.report.files import write_reports
from dbz.report.opening import open_run
from dbz.report.terminal.console import make_console
from dbz.report.terminal.run.summary import print_summary
from dbz.runs.compare.findings import compare_sides
from dbz.runs.compare.sides import Side
from tests.runs.builder import Scene, build_run

FOLDER = Path(__file__).parent / "golden"
_SCENE = {"seconds": 10, "warmup_s": 3, "workers": 1}
_PARTS_OF_THE_PROGRAM = re.compile(r"<style>.*?</style>|<script>.*?</script>|content=\"default-src[^\"]*\"", re.DOTALL)


def golden_reports(scratch: Path) -> dict[str, str]:
    """Every report of one run with everything in it, by file name; the page without its own script and style."""
    base = build_run(scratch, Scene(**_SCENE, seed=2), run_id="base")
    scene = Scene(**_SCENE, slow={"chat": 8}, failing={"GET /api/posts": 0.2})
    folder = build_run(scratch, scene, run_id="20261123T065450Z-mixed-0001")
    comparison = compare_sides(Side([base]), Side([folder]), ComparisonTerms())
    folder.save(folder.load().model_copy(update={"comparison": comparison}))
    reports = {path.name: path.read_text(encoding="utf-8") for path in write_reports(folder)}
    reports["report.html"] = _PARTS_OF_THE_PROGRAM.sub("…", reports["report.html"])
    reports["run.json"] = folder.run_json.read_text(encoding="utf-8")
    for width in (80, 120):
        stream = io.StringIO()
        print_summary(open_run(folder)[0], Path("reports/run/report.html"), make_console(stream, width=width))
        reports[f"terminal-{width}.txt"] = "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"
    return reports


def main() -> None:
    """Write the golden files."""
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as scratch:
        for name, text in golden_reports(Path(scratch)).items():
            (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
