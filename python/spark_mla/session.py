"""What a Spark session needs to have Spark MLA in it."""

from __future__ import annotations

import os
from pathlib import Path

JARS_VARIABLE = "SPARK_MLA_JARS"
"""The environment variable that names the folder of jars."""


def settings(
    model: str | os.PathLike[str],
    *,
    jars: str | os.PathLike[str] | None = None,
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
    jars
        The folder with Spark MLA's jars, such as `jobs/target/lib` after a build. Without it, the
        one that the environment variable SPARK_MLA_JARS names; without both, the cluster is taken
        to have them on its class path.

    Returns
    -------
    dict
        `spark.plugins`, `spark.sql.extensions`, `spark.mla.model.path`, and `spark.jars` where
        there is a folder of jars. Add others to it, or give them to the builder.

    Raises
    ------
    FileNotFoundError
        If there are no jars in the folder.

    Examples
    --------
    >>> spark = (
    ...     SparkSession.builder.master("local[2]")
    ...     .config(map=settings("jobs/demo-model/model", jars="jobs/target/lib"))
    ...     .config("spark.mla.kvcache.size", "2g")
    ...     .getOrCreate()
    ... )
    """
    found = {
        "spark.plugins": "dev.sparkmla.plugin.MlaPlugin",
        "spark.sql.extensions": "dev.sparkmla.sql.MlaExtensions",
        "spark.mla.model.path": str(Path(model).resolve() if Path(model).is_dir() else model),
    }
    folder = jars if jars is not None else os.environ.get(JARS_VARIABLE)
    if folder is not None:
        names = sorted(Path(folder).resolve().glob("*.jar"))
        if not names:
            raise FileNotFoundError(
                f"there are no jars in {Path(folder).resolve()}: build them with bin/generate,"
                f" or name another folder with `jars` or {JARS_VARIABLE}"
            )
        found["spark.jars"] = ",".join(map(str, names))
    return found
