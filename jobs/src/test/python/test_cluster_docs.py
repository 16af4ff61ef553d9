"""docs/cluster.md names messages that the product has."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[4]
TABLE = (ROOT / "docs" / "cluster.md").read_text("utf-8").split("## When something fails")[1]
MESSAGES = re.findall(r"^\| `([^`]+)` \|", TABLE.split("Messages of Spark's own")[0], re.MULTILINE)


@pytest.fixture(scope="module")
def sources():
    """All of the Java, with texts that go on over several lines as one."""
    files = [path for module in ("native", "spark-plugin", "jobs") for path in (ROOT / module / "src/main").rglob("*.java")]
    return "\n".join(re.sub(r'"\s*\+\s*"', "", path.read_text("utf-8")) for path in files)


def test_reads_the_table():
    assert len(MESSAGES) > 20


@pytest.mark.parametrize("message", MESSAGES)
def test_the_product_says(message, sources):
    assert message in sources
