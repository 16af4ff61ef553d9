"""Clicks through the page Generation of a running job and of the history server, and the job's report."""

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Error, Page, expect

ROOT = Path(__file__).parents[4]
EMPTY = 3
PATIENCE_MS = 600_000
SINK = "spark.metrics.conf.*.sink.prometheusServlet"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def process(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen]:
    """Runs a command in its log's folder until the block ends, and kills what is left of it then."""
    with log.open("wb") as out:
        started = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env=os.environ | environment,
            start_new_session=True,
        )
        try:
            yield started
        finally:
            if started.poll() is None:
                os.killpg(started.pid, 9)
            started.wait()


def open_when_there(page: Page, url: str, part: str, job: subprocess.Popen, log: Path) -> None:
    """Opens a page of a server that is starting, as soon as a part of it is there."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < end:
        try:
            page.goto(url)
            if page.locator(part).count() > 0:
                return
        except Error as unanswered:
            print(unanswered)
        assert job.poll() is None, log.read_text()
        time.sleep(0.5)
    raise AssertionError(f"{url} does not answer: {log.read_text()}")


def figure(page: Page, name: str) -> str:
    """The figure that stands under a name."""
    named = page.locator("#figures > div", has=page.get_by_text(name, exact=True))
    return named.locator("div").nth(1).inner_text()


def number(page: Page, name: str) -> float:
    return float(figure(page, name).replace(",", ""))


def shows_progress(page: Page) -> bool:
    return (
        page.locator("svg polyline").count() == 5
        and number(page, "Rows done") > EMPTY
        and number(page, "Rows in error") > 0
        and number(page, "Running") > 0
        and number(page, "Tokens/s out, now") > 0
    )


def cells(page: Page, table: str) -> list[str]:
    return page.locator(f"#{table} tbody td").all_inner_texts()


def write_input(path: Path, rows: int) -> None:
    """Empty prompts, long ones with short answers, and short ones with long answers."""
    samples = (ROOT / "jobs/sample-data/documents.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [json.loads(line)["prompt"] for line in samples[:6]]
    with path.open("w") as lines:
        for row in range(rows):
            story = f"Once upon a time, number {row}, " * (1 + row % 7)
            prompt = documents[row // 2 % len(documents)] if row % 2 else story
            prompt = "" if row < EMPTY else prompt
            lines.write(json.dumps({"id": row, "prompt": prompt}) + "\n")


def test_shows_a_run_while_it_goes_on_after_it_and_in_its_report(
    page: Page, images: Path, rows: int, tmp_path: Path
) -> None:
    write_input(tmp_path / "documents.jsonl", rows)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/demo").symlink_to(ROOT / "jobs/demo-model/model")
    events = tmp_path / "events"
    events.mkdir()
    port = free_port()
    job = [
        str(ROOT / "bin/generate"),
        *("--input", "documents.jsonl", "--output", "answers", "--report", "report.html"),
        *("--gpu-hour-price", "2.5"),
        *("--model", "models/demo", "--max-tokens", "96"),
        *("--conf", f"spark.ui.port={port}"),
        *("--conf", "spark.mla.metrics.interval=1s"),
        *("--conf", "spark.metrics.namespace=spark_mla"),
        *("--conf", f"{SINK}.class=org.apache.spark.metrics.sink.PrometheusServlet"),
        *("--conf", f"{SINK}.path=/metrics/prometheus"),
        *("--conf", "spark.eventLog.enabled=true"),
        *("--conf", f"spark.eventLog.dir={events.as_uri()}"),
    ]
    with process(job, tmp_path / "job.log") as running:
        driver = f"http://127.0.0.1:{port}/"
        open_when_there(page, driver, "a.nav-link", running, tmp_path / "job.log")
        page.get_by_role("link", name="Generation", exact=True).click()
        expect(page.locator("h3", has_text="Generation")).to_be_visible()
        assert page.title().startswith("Spark MLA: generate answers")
        while not shows_progress(page):
            assert running.poll() is None, (tmp_path / "job.log").read_text()
            time.sleep(1)
            page.reload()
        assert number(page, "Rows done") + number(page, "Rows left") == rows
        assert figure(page, "Rows in error") == str(EMPTY)
        assert "running" in cells(page, "executors")
        assert "answers" in cells(page, "runs")
        assert "processor" in cells(page, "executors")
        assert cells(page, "errors")[:2] == ["EMPTY_PROMPT", str(EMPTY)]
        page.locator("#executors th", has_text="Tokens/s out").click()
        expect(page.locator("#executors th .sorttable_sortfwdind")).to_have_count(1)
        page.reload()
        page.screenshot(path=images / "generation-live.png", full_page=True)
        metrics = page.request.get(f"{driver}metrics/prometheus").text()
        asked = set(re.findall(r"metrics_\w+_Value", (ROOT / "docs/grafana-dashboard.json").read_text()))
        assert asked and all(f"{gauge}{{" in metrics for gauge in asked)
        page.get_by_role("link", name="Jobs", exact=True).click()
        expect(page.locator("table").get_by_text("Generate answers").first).to_be_visible()
        assert running.wait(PATIENCE_MS / 1000) == 0, (tmp_path / "job.log").read_text()

    page.goto((tmp_path / "report.html").as_uri())
    assert figure(page, "Rows") == f"{rows:,}"
    assert figure(page, "Rows in error") == str(EMPTY)
    assert figure(page, "Cost of a million tokens") == "no GPU was used"
    assert "--max-tokens" in cells(page, "settings")
    assert "EMPTY_PROMPT" in cells(page, "errors")
    assert page.locator("svg polyline").count() == 5
    assert page.locator("svg rect").count() >= 3
    page.screenshot(path=images / "generation-report.png", full_page=True)

    history_port = free_port()
    (jar,) = (ROOT / "assembly/target").glob("spark-mla-spark_*.jar")
    jars = [ROOT / "jobs/target/spark/jars/*", jar]
    server = [
        "java",
        "-Xmx512m",
        f"-Dspark.history.fs.logDirectory={events.as_uri()}",
        f"-Dspark.history.ui.port={history_port}",
        "-cp",
        ":".join(map(str, jars)),
        "org.apache.spark.deploy.history.HistoryServer",
    ]
    with process(server, tmp_path / "history.log", SPARK_LOCAL_IP="127.0.0.1") as history:
        url = f"http://127.0.0.1:{history_port}/"
        open_when_there(page, url, "#history-summary", history, tmp_path / "history.log")
        application = page.locator("a[href*='/history/']").first
        application.click(timeout=PATIENCE_MS)
        page.get_by_role("link", name="Generation", exact=True).click(timeout=PATIENCE_MS)
        assert figure(page, "Rows done") == f"{rows:,}"
        assert figure(page, "Rows left") == "0"
        assert figure(page, "Rows in error") == str(EMPTY)
        assert page.locator("svg polyline").count() == 5
        page.screenshot(path=images / "generation-history.png", full_page=True)
