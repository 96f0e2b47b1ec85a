"""The page in headless Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.report.page.conftest import HOSTILE

# One worker starts one browser.
pytestmark = pytest.mark.xdist_group("browser")

NEXT_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def trials(page: Page) -> list[int]:
    """Return the trial numbers of the rows that are visible, in order."""
    rows = page.locator("#board tbody tr:visible").all()
    return [int(row.get_attribute("data-trial") or -1) for row in rows]


def test_page_shows_markup_in_names_as_text(page: Page) -> None:
    assert page.evaluate("window.hacked") is None
    assert page.locator("h1").inner_text() == f"run {HOSTILE}"
    assert page.get_by_role("cell", name=HOSTILE, exact=True).count() == 1
    assert page.locator("script").count() == 2  # the page's own and its data


def test_heading_sorts_by_number_and_turns_around(page: Page) -> None:
    heading = page.locator("#board th", has_text="FLOPs")
    heading.locator("button").click()
    ascending = trials(page)
    assert heading.get_attribute("aria-sort") == "ascending"
    assert ascending[0] == 1  # hard
    assert ascending[-1] == 0  # independent
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert trials(page)[0] == 0
    assert sorted(trials(page)) == list(range(10))


def test_missing_values_are_sorted_last(page: Page) -> None:
    heading = page.locator("#board th", has_text="expected Δm %")
    for best in (5, 7):  # the highest first
        heading.locator("button").click()
        assert trials(page)[0] == best
        assert set(trials(page)[-2:]) == {3, 8}  # failed and interrupted


def test_filter_and_state_hide_rows(page: Page) -> None:
    page.locator("#filter").fill("hard")
    assert trials(page) == [1]
    assert page.locator("#count").inner_text() == "1 of 10 trials"
    page.locator("#filter").fill("")
    page.locator("#state").select_option("failed")
    assert trials(page) == [3]


def test_chosen_columns_are_shown(page: Page) -> None:
    heading = page.locator("#board th", has_text="boxes.mAP50")
    assert not heading.is_visible()
    page.get_by_text("Columns", exact=True).click()
    page.locator(".choices label", has_text="boxes.mAP50").locator("input").check()
    assert heading.is_visible()


def test_point_shows_its_trial_and_marks_it(page: Page) -> None:
    point = page.locator("#front .wide-only .mark[data-trial='6']")
    point.scroll_into_view_if_needed()
    page.evaluate(NEXT_FRAMES)  # a scroll hides the hint
    point.hover()
    assert "trial 6" in page.locator("#hint").inner_text()
    assert page.locator("#board tr.hl").get_attribute("data-trial") == "6"


@pytest.mark.parametrize("width", [390, 1280])
def test_page_does_not_scroll_sideways(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_colors_follow_the_scheme_of_the_system(browser: Browser, file: Path) -> None:
    background = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(file.as_uri())
        background[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.close()
    assert background == {"light": "rgb(246, 247, 249)", "dark": "rgb(15, 19, 25)"}


def test_printed_page_opens_closed_parts(page: Page) -> None:
    run_file = page.locator("#reproduce details pre")
    assert not run_file.is_visible()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert run_file.is_visible()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert not run_file.is_visible()
    assert page.pdf().startswith(b"%PDF")
