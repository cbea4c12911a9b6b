"""The HTML page in a real browser: charts, hover, zoom, toggles, sorting, and no message on the console."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from dbz.measure.compare.terms import ComparisonTerms
from dbz.report import write_reports
from dbz.runs.compare.findings import compare_sides
from dbz.runs.compare.sides import Side
from dbz.runs.storage.folder import RunFolder
from tests.report.hostile import HOSTILE, hostile_run

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--window-size=1280,900",
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER),
    reason="needs Debian's packages chromium and chromium-driver",
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser for all tests of this file."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture
def page(driver: webdriver.Chrome, copies: RunFolder) -> Iterator[webdriver.Chrome]:
    """The page of the broken run; afterwards the console must be empty."""
    driver.get(write_reports(copies)[0].as_uri())
    yield driver
    assert driver.get_log("browser") == []  # type: ignore[no-untyped-call]


def chart(page: webdriver.Chrome, name: str) -> WebElement:
    figure = page.find_element(By.CSS_SELECTOR, f'[data-chart="{name}"]')
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", figure)  # type: ignore[no-untyped-call]
    return figure


def lines(figure: WebElement) -> list[str | None]:
    return [path.get_attribute("data-line") for path in figure.find_elements(By.CSS_SELECTOR, "path.line")]


def axis(figure: WebElement) -> list[str]:
    return [text.text for text in figure.find_elements(By.CSS_SELECTOR, "svg text") if ":" in text.text]


def test_every_chart_is_drawn(page: webdriver.Chrome) -> None:
    figures = page.find_elements(By.CSS_SELECTOR, ".chart[data-chart]")
    assert len(figures) == 14
    assert all(lines(figure) for figure in figures)


def test_hovering_reads_the_values_and_marks_the_second_everywhere(page: webdriver.Chrome) -> None:
    figure = chart(page, "latency-http")
    ActionChains(page).move_to_element(figure.find_element(By.TAG_NAME, "svg")).perform()
    tip = figure.find_element(By.CSS_SELECTOR, ".tip")
    assert tip.is_displayed()
    assert [row.text for row in tip.find_elements(By.TAG_NAME, "span")] == ["p50", "p95", "p99"]
    assert all(row.text.endswith(" ms") for row in tip.find_elements(By.TAG_NAME, "b"))
    cursors = page.find_elements(By.CSS_SELECTOR, "line.cursor")
    assert len(cursors) == 14 and {one.get_attribute("visibility") for one in cursors} == {"visible"}


def test_a_click_on_the_legend_hides_a_line_and_brings_it_back(page: webdriver.Chrome) -> None:
    figure = chart(page, "latency-http")
    for expected in (["p50", "p95"], ["p50", "p95", "p99"]):
        figure.find_elements(By.CSS_SELECTOR, ".legend button")[2].click()
        assert lines(figure) == expected


def test_dragging_zooms_all_charts_and_a_double_click_shows_the_whole_run_again(page: webdriver.Chrome) -> None:
    figure, other = chart(page, "latency-http"), chart(page, "users")
    whole, canvas = axis(other), chart(page, "latency-http").find_element(By.TAG_NAME, "svg")
    ActionChains(page).move_to_element_with_offset(canvas, -60, 0).click_and_hold().move_by_offset(
        150, 0
    ).release().perform()
    assert axis(other) != whole
    assert page.find_element(By.ID, "reset-zoom").is_enabled()
    ActionChains(page).double_click(figure.find_element(By.TAG_NAME, "svg")).perform()
    assert axis(other) == whole
    assert not page.find_element(By.ID, "reset-zoom").is_enabled()


def test_keys_move_the_cursor(page: webdriver.Chrome) -> None:
    canvas = chart(page, "users").find_element(By.TAG_NAME, "svg")
    canvas.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert chart(page, "users").find_element(By.CSS_SELECTOR, ".tip small").text.startswith("0:02")


def test_the_judged_part_and_the_log_scale_can_be_chosen(page: webdriver.Chrome) -> None:
    figure = chart(page, "latency-http")
    before = figure.find_element(By.CSS_SELECTOR, "path.line").get_attribute("d")
    page.find_element(By.ID, "log-scale").click()
    assert figure.find_element(By.CSS_SELECTOR, "path.line").get_attribute("d") != before
    page.find_element(By.ID, "judged-only").click()
    assert not figure.find_elements(By.CSS_SELECTOR, ".shade")


def test_a_click_on_a_heading_sorts_by_its_column(page: webdriver.Chrome) -> None:
    heading = page.find_element(By.XPATH, "//section[@id='operations']//button[text()='Count']")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", heading)  # type: ignore[no-untyped-call]

    def counts() -> list[int]:
        cells = page.find_elements(By.CSS_SELECTOR, "#operations tbody td:nth-child(3)")
        return [int(cell.text.replace(",", "")) for cell in cells]

    for order in ("descending", "ascending"):
        heading.click()
        assert counts() == sorted(counts(), reverse=order == "descending")
        assert heading.find_element(By.XPATH, "..").get_attribute("aria-sort") == order


def test_light_and_dark_differ(page: webdriver.Chrome) -> None:
    def paper() -> str:
        return page.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")

    light = paper()
    page.find_element(By.ID, "theme").click()
    assert paper() != light


def test_nothing_hangs_over_the_edge_of_a_phone(page: webdriver.Chrome) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page.refresh()
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390  # type: ignore[no-untyped-call]
        bars = "return [...document.querySelectorAll('.scroll')].map((one) => [one.scrollWidth > one.clientWidth,"
        shown = page.execute_script(bars + " one.offsetHeight - one.clientHeight])")  # type: ignore[no-untyped-call]
        assert any(wider for wider, _ in shown)
        assert all(bar >= 8 for wider, bar in shown if wider), "a table that goes on to the right has a bar to see"
        words = "return [...document.querySelector('#budgets td.text').childNodes].map((one) => one.nodeName)"
        assert "WBR" in page.execute_script(words)  # type: ignore[no-untyped-call]
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_hostile_names_are_shown_and_not_carried_out(driver: webdriver.Chrome, tmp_path: Path) -> None:
    driver.get(write_reports(hostile_run(tmp_path))[0].as_uri())
    assert not driver.find_elements(By.TAG_NAME, "img")
    assert "<img src=x onerror=alert(1)>" in driver.find_element(By.CSS_SELECTOR, "#operations tbody").text
    assert HOSTILE.split("|", maxsplit=1)[0] in driver.find_element(By.CSS_SELECTOR, ".charts").text
    assert driver.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_a_click_on_an_operation_shows_its_heat_map_and_distribution(page: webdriver.Chrome) -> None:
    choice = page.find_element(By.ID, "detail-choice")
    assert len(choice.find_elements(By.TAG_NAME, "option")) > 8
    link = page.find_element(By.CSS_SELECTOR, '[data-detail="http GET /api/games"]')
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)  # type: ignore[no-untyped-call]
    link.click()
    chosen = choice.find_element(By.CSS_SELECTOR, "option:checked")
    assert chosen.text == "http GET /api/games"
    assert "judged attempts, 0 failed" in page.find_element(By.ID, "detail-facts").text
    assert len(page.find_elements(By.CSS_SELECTOR, "#distribution circle")) == 12
    painted = page.execute_script(  # type: ignore[no-untyped-call]
        "const c = document.getElementById('heat-map');"
        "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((value) => value !== 0)"
    )
    assert painted


def test_hovering_over_the_heat_map_reads_a_cell(page: webdriver.Chrome) -> None:
    canvas = page.find_element(By.ID, "heat-map")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)  # type: ignore[no-untyped-call]
    ActionChains(page).move_to_element(canvas).perform()
    assert " ms to " in page.find_element(By.ID, "detail-tip").text


def test_the_comparison_with_a_baseline_is_on_the_page(
    driver: webdriver.Chrome, passed: RunFolder, copies: RunFolder
) -> None:
    comparison = compare_sides(Side([passed]), Side([copies]), ComparisonTerms())
    copies.save(copies.load().model_copy(update={"comparison": comparison}))
    driver.get(write_reports(copies)[0].as_uri())
    rows = driver.find_elements(By.CSS_SELECTOR, "#comparison tbody tr")
    assert "delivery chat" in rows[0].text + rows[1].text and "worse" in rows[0].text
    assert driver.get_log("browser") == []  # type: ignore[no-untyped-call]


def marked(driver: webdriver.Chrome, run: RunFolder, **profile: object) -> list[str]:
    """The names of the phases that the page draws over HTTP latency."""
    loaded = run.load()
    run.save(loaded.model_copy(update={"profile": {**loaded.profile, **profile}}))
    driver.get(write_reports(run)[0].as_uri())
    names = [text.text for text in chart(driver, "latency-http").find_elements(By.CSS_SELECTOR, ".marker-name")]
    assert driver.get_log("browser") == []  # type: ignore[no-untyped-call]
    return names


def test_stages_are_marked_in_every_chart(driver: webdriver.Chrome, copies: RunFolder) -> None:
    stages = [{"to": 100.0, "over": 4.0}, {"to": 500.0, "over": 4.0}]
    assert marked(driver, copies, stages=stages) == ["warm-up", "to 100 in 4 s", "to 500 in 4 s"]
    lines = driver.find_elements(By.CSS_SELECTOR, "line.marker")
    assert len(lines) == 3 * len(driver.find_elements(By.CSS_SELECTOR, ".chart[data-chart]"))


def test_names_of_phases_never_overlap(driver: webdriver.Chrome, copies: RunFolder) -> None:
    stages = [{"to": 100_000.0 + at, "over": 0.5} for at in range(15)]
    assert marked(driver, copies, stages=stages)[:2] == ["warm-up", "to 100000 in 500 ms"]
    figure = chart(driver, "latency-http")
    assert len(figure.find_elements(By.CSS_SELECTOR, "line.marker")) == 16
    canvas, *names = (element.rect for element in figure.find_elements(By.CSS_SELECTOR, "svg, svg .marker-name"))
    assert 1 < len(names) < 16
    for row in {name["y"] for name in names}:
        edges = [edge for one in names if one["y"] == row for edge in (one["x"], one["x"] + one["width"])]
        assert edges == sorted(edges) and edges[-1] <= canvas["x"] + canvas["width"]
