"""The one jar that Spark is given, under PySpark's own Spark distribution and with nothing else.

With --beside, as bin/test-jar calls it, Spark has that folder's jars and their extensions too.
"""

import os
import pathlib
import subprocess
import zipfile

import pyspark
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[4]
SPARK = pathlib.Path(pyspark.__file__).parent
EXTENSIONS = [
    "io.delta.sql.DeltaSparkSessionExtension",
    "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
]


@pytest.fixture(scope="module")
def jar():
    (found,) = (ROOT / "assembly" / "target").glob("spark-mla-spark_4.2_2.13-*.jar")
    return found


@pytest.fixture(scope="module")
def beside(request):
    folder = request.config.getoption("--beside")
    return sorted(pathlib.Path(folder).glob("*.jar")) if folder else []


@pytest.fixture(scope="module")
def demo(jar, beside, tmp_path_factory):
    """The demo, run in a folder of its own without this machine's settings of Spark."""
    folder = tmp_path_factory.mktemp("demo")
    settings = {"spark.driver.memory": "2g", "spark.ui.enabled": "false"}
    if beside:
        settings["spark.jars"] = ",".join(map(str, beside))
        settings["spark.sql.extensions"] = ",".join(EXTENSIONS)
    options = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    inherited = {key: value for key, value in os.environ.items() if "SPARK" not in key}
    return subprocess.run(
        [SPARK / "bin" / "spark-submit", "--master", "local[2]", *options, jar, "--backend", "cpu"],
        cwd=folder,
        env={**inherited, "SPARK_HOME": str(SPARK), "SPARK_LOCAL_IP": "127.0.0.1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def entries(path):
    with zipfile.ZipFile(path) as packed:
        return {name for name in packed.namelist() if not name.endswith("/")}


def classes(path):
    return {name for name in entries(path) if name.endswith(".class") and "META-INF" not in name}


def test_runs_the_demo(demo):
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "56 of 56" in demo.stdout
    assert "could not be found" not in demo.stderr


def test_has_no_class_that_is_elsewhere(jar, beside):
    own = classes(jar)
    spark = sorted((SPARK / "jars").glob("*.jar"))
    assert "dev/sparkmla/plugin/MlaPlugin.class" in own
    assert len(spark) > 200

    twice = {path.name: own & classes(path) for path in [*spark, *beside]}

    assert {name: sorted(found)[:3] for name, found in twice.items() if found} == {}


def test_brings_what_could_clash_under_a_name_of_its_own(jar):
    elsewhere = {name for name in classes(jar) if not name.startswith("dev/sparkmla/")}

    # Classes that native libraries know by their names.
    assert {"/".join(name.split("/")[:2]) for name in elsewhere if not name.startswith("jcuda/")} == {
        "ai/djl",
        "org/bytedeco",
    }


def test_brings_the_native_libraries_of_one_platform_and_all_licenses(jar):
    names = entries(jar)
    libraries = {name for name in names if name.endswith((".dylib", ".dll")) or ".so" in name}
    platforms = {part for name in libraries for part in name.split("/") if part.startswith(("linux-", "osx-", "mac"))}

    assert len(platforms) == 1, libraries
    assert any("libopenblas" in name for name in libraries)
    assert any("libtokenizers" in name for name in libraries)
    assert {
        "META-INF/LICENSE",
        "META-INF/NOTICE",
        "META-INF/LICENSE.txt",
        "META-INF/NOTICE.txt",
        "META-INF/licenses/openblas.txt",
        "META-INF/licenses/jcuda.txt",
    } <= names
