"""What the browser tests are given: a browser, and a folder for their screenshots."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--images", type=Path, required=True, help="folder for screenshots")
    parser.addoption("--rows", type=int, default=1500, help="rows of the job: enough for some seconds")


@pytest.fixture(scope="module")
def page():
    """A page of the Chromium that SPARK_MLA_CHROMIUM names, else of Playwright's own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("SPARK_MLA_CHROMIUM") or None, args=["--no-sandbox"]
        )
        opened: Page = browser.new_page(viewport={"width": 1240, "height": 1000})
        yield opened
        browser.close()


@pytest.fixture(scope="module")
def images(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.config.getoption("--images")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> int:
    count: int = request.config.getoption("--rows")
    return count
