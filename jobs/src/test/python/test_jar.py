"""The one jar that Spark is given, under PySpark's own Spark distribution and with nothing else.

With --beside, as bin/test-jar calls it, also with that folder's jars and their extensions.
"""

import json
import os
import pathlib
import subprocess
import sys
import zipfile

import object_store
import pyarrow.parquet
import pyspark
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[4]
SPARK = pathlib.Path(pyspark.__file__).parent
DOCUMENTS = ROOT / "jobs" / "sample-data" / "documents.jsonl"
MLA_EXTENSIONS = "dev.sparkmla.sql.MlaExtensions"
MLA = {
    "spark.plugins": "dev.sparkmla.plugin.MlaPlugin",
    "spark.sql.extensions": MLA_EXTENSIONS,
    "spark.mla.model.path": ROOT / "jobs" / "demo-model" / "model",
    "spark.mla.backend": "cpu",
}
BESIDE_EXTENSIONS = [
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


def run(folder, program, settings, *arguments, **options):
    """Runs a program of the distribution in a folder, without this machine's settings of Spark."""
    settings = {"spark.driver.memory": "2g", "spark.ui.enabled": "false", **settings}
    words = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    inherited = {key: value for key, value in os.environ.items() if "SPARK" not in key}
    environment = {
        **inherited,
        "SPARK_HOME": str(SPARK),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        **options.pop("env", {}),
    }
    ended = subprocess.run(
        [SPARK / "bin" / program, "--master", "local[2]", *words, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
        **options,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended


def check_demo(ended):
    assert "56 of 56" in ended.stdout
    assert "could not be found" not in ended.stderr


def test_runs_the_demo_alone(jar, tmp_path):
    """Everything together: the trained model answers every sample document, through Spark."""
    ended = run(tmp_path, "spark-submit", {}, jar, "--backend", "cpu")

    check_demo(ended)
    assert "56, none in error" in ended.stdout
    written = pyarrow.parquet.read_table(tmp_path / "output" / "demo")
    assert written.num_rows == 56
    assert written.column("error_code").null_count == 56


def test_is_all_that_a_shell_needs(jar, tmp_path):
    lines = f"""
spark.read.json("{DOCUMENTS}").where("id = 'doc-01'").createOrReplaceTempView("documents")
answer = "llm_generate_text(prompt, map('max_tokens', '24', 'temperature', '0'))"
print("answer:", spark.sql("SELECT " + answer + " AS answer FROM documents").first().answer)
"""
    # Else Python would not start the shell for lines that nobody types.
    interactive = {"PYSPARK_DRIVER_PYTHON_OPTS": "-i"}
    shell = run(tmp_path, "pyspark", MLA, "--jars", jar, input=lines, env=interactive)
    assert "answer: 937,259 euros" in shell.stdout


def test_runs_the_demo_beside_others(jar, beside, tmp_path):
    if not beside:
        pytest.skip("bin/test-jar fetches the others")
    settings = {
        "spark.jars": ",".join(map(str, beside)),
        "spark.sql.extensions": ",".join(BESIDE_EXTENSIONS),
    }
    check_demo(run(tmp_path, "spark-submit", settings, jar, "--backend", "cpu"))


def test_reads_model_and_input_from_an_object_store(jar, beside, tmp_path):
    if not beside:
        pytest.skip("bin/test-jar fetches the others")
    objects = {f"model/{file.name}": file.read_bytes() for file in (ROOT / "jobs" / "demo-model" / "model").iterdir()}
    objects["in/documents.jsonl"] = DOCUMENTS.read_bytes()
    with object_store.serve(objects) as address:
        settings = {
            "spark.jars": ",".join(map(str, beside)),
            "spark.mla.model.cacheDir": tmp_path / "models",
            "spark.hadoop.fs.s3a.endpoint": address,
            "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.access.key": "user",
            "spark.hadoop.fs.s3a.secret.key": "secret",
        }
        options = ["--backend", "cpu", "--model", "s3a://data/model", "--input", "s3a://data/in", "--max-tokens", "8"]
        ended = run(tmp_path, "spark-submit", settings, jar, *options, "--output", "answers")
    assert "56, none in error" in ended.stdout
    assert list((tmp_path / "models").rglob("model.safetensors"))


def write_table(jar, beside, folder, table, form):
    if not beside:
        pytest.skip("bin/test-jar fetches the others")
    settings = {
        **MLA,
        "spark.jars": ",".join(map(str, [jar, *beside])),
        "spark.sql.extensions": ",".join([MLA_EXTENSIONS, *BESIDE_EXTENSIONS]),
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "hadoop",
        "spark.sql.catalog.lake.warehouse": folder / "lake",
    }
    script = pathlib.Path(__file__).with_name("write_table.py")
    return run(folder, "spark-submit", settings, script, DOCUMENTS, table, form)


def test_writes_a_delta_table(jar, beside, tmp_path):
    ended = write_table(jar, beside, tmp_path, "answers", "delta")
    answers = json.loads(ended.stdout.splitlines()[-1])
    assert answers["read"] == answers["generated"]
    assert len(answers["read"]) == 6 and answers["read"]["doc-01"] == "937,259 euros"
    assert list((tmp_path / "spark-warehouse" / "answers" / "_delta_log").glob("*.json"))


def test_iceberg_has_no_catalog_for_this_spark(jar, beside, tmp_path):
    """As docs/cluster.md says; where this fails, Iceberg can be tested as Delta is."""
    with pytest.raises(AssertionError, match="SparkView can not implement"):
        write_table(jar, beside, tmp_path, "lake.mla.answers", "iceberg")


def entries(path):
    with zipfile.ZipFile(path) as packed:
        return {name for name in packed.namelist() if not name.endswith("/")}


def classes(path):
    return {name for name in entries(path) if name.endswith(".class") and "META-INF" not in name}


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
