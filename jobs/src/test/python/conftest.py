"""One Spark session with the plugin and the demo model, from the jars that the build has made."""

import json
import pathlib

import pytest
from pyspark.sql import SparkSession

ROOT = pathlib.Path(__file__).resolve().parents[4]


@pytest.fixture(scope="session")
def spark():
    jars = sorted((ROOT / "jobs" / "target" / "lib").glob("*.jar"))
    assert jars, "there are no jars in jobs/target/lib: build first, with bin/test"
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "2g")
        .config("spark.driver.extraClassPath", ":".join(map(str, jars)))
        .config("spark.plugins", "dev.sparkmla.plugin.MlaPlugin")
        .config("spark.sql.extensions", "dev.sparkmla.sql.MlaExtensions")
        .config("spark.mla.model.path", str(ROOT / "jobs" / "demo-model" / "model"))
        .config("spark.mla.backend", "cpu")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def samples():
    """The first sample documents: id, document, question, expected, prompt."""
    with open(ROOT / "jobs" / "sample-data" / "documents.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for _, line in zip(range(6), lines)]


@pytest.fixture(scope="session")
def documents(spark, samples):
    """The same as a view named documents."""
    schema = (
        "id STRING, document STRING, question STRING, expected STRING,"
        " prompt ARRAY<STRUCT<role STRING, content STRING>>"
    )
    frame = spark.createDataFrame(samples, schema)
    frame.createOrReplaceTempView("documents")
    return frame
