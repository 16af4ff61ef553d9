"""What a Spark session needs to have Spark MLA in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

JAR = Path(__file__).resolve().parent / "spark-mla.jar"
"""The jar of Spark MLA, which this package brings along."""

PLUGIN = "dev.sparkmla.plugin.MlaPlugin"
LISTS = ("spark.jars", "spark.plugins", "spark.sql.extensions")


def settings(
    model: str | os.PathLike[str],
    *,
    jar: str | os.PathLike[str] | None = JAR,
) -> dict[str, str]:
    """The Spark settings that bring Spark MLA into an application.

    They count when Spark starts: for a builder that makes a session, for spark-submit, for a
    Connect server. In a session that is there already they come too late.

    Parameters
    ----------
    model
        The Hugging Face folder of the model: its path on every executor, its URI, such as
        `hdfs://...`, or its id, where every executor's host has downloaded it. A relative path is
        made absolute where it is a folder here.
    jar
        Another jar of Spark MLA: a path here, or a URI such as `hdfs://...`. None where the
        cluster has it on its class path.

    Returns
    -------
    dict
        `spark.plugins`, `spark.sql.extensions`, `spark.mla.model.path`, and `spark.jars` unless
        `jar` is None. Add others to it, or give them to the builder.

    Raises
    ------
    FileNotFoundError
        If the jar is not there.

    Examples
    --------
    >>> spark = (
    ...     SparkSession.builder.master("local[2]")
    ...     .config(map=settings("jobs/demo-model/model"))
    ...     .config("spark.mla.kvcache.size", "2g")
    ...     .getOrCreate()
    ... )
    """
    found = {
        "spark.plugins": PLUGIN,
        "spark.sql.extensions": "dev.sparkmla.sql.MlaExtensions",
        "spark.mla.model.path": str(Path(model).resolve() if Path(model).is_dir() else model),
    }
    if jar is not None:
        found["spark.jars"] = _place(jar)
    return found


def session(
    model: str | os.PathLike[str],
    *,
    jar: str | os.PathLike[str] | None = JAR,
    config: Mapping[str, object] | None = None,
) -> SparkSession:
    """The session of a classic application, which is started with Spark MLA in it.

    Parameters
    ----------
    model, jar
        As `settings` takes them.
    config
        Further settings of Spark, such as `{"spark.master": "local[2]"}`. Jars, plugins and
        extensions that it names come before those of Spark MLA.

    Returns
    -------
    SparkSession
        A new session, or the one that is there, if it has Spark MLA.

    Raises
    ------
    FileNotFoundError
        If the jar is not there.
    RuntimeError
        If Spark runs already in this process, or has run, without Spark MLA.

    Examples
    --------
    >>> spark = session("jobs/demo-model/model", config={"spark.master": "local[2]"})
    """
    # Connect's client has no py4j, and no use for this.
    from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]

    needed: dict[str, Any] = {**settings(model, jar=jar)}
    for key, value in (config or {}).items():
        needed[key] = f"{value},{needed[key]}" if key in LISTS and key in needed else str(value)
    active = SparkSession.getActiveSession()
    if active is not None and PLUGIN not in (active.conf.get("spark.plugins", None) or ""):
        raise RuntimeError(
            "there is a session already, and its executors run without Spark MLA: end it with its"
            " stop(), or start it with what `spark_mla.settings` gives"
        )
    try:
        return SparkSession.builder.config(map=needed).getOrCreate()
    except Py4JJavaError as failed:
        if f"ClassNotFoundException: {PLUGIN}" not in str(failed):
            raise
        raise RuntimeError(
            "Spark has not the jar of Spark MLA: start this process again if it has had a session"
            " before, since Spark takes jars only when it starts; with jar=None, the cluster has to"
            " have it"
        ) from failed


def _place(jar: str | os.PathLike[str]) -> str:
    if "://" in str(jar):
        return str(jar)
    path = Path(jar).resolve()
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no jar {path}: build it with bin/generate (and install this package again),"
            " name another one with `jar`, or say jar=None where the cluster has it"
        )
    return str(path)
