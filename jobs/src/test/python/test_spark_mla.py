"""The typed module spark_mla: its columns are the SQL functions' calls.

Passes in classic PySpark and, with --connect, over Spark Connect.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import spark_mla
from pyspark.errors import AnalysisException
from pyspark.sql import functions, types

ROOT = pathlib.Path(__file__).resolve().parents[4]
PACKAGE = ROOT / "python"


def test_answers(documents, samples):
    answer = spark_mla.llm_generate("prompt", params={"max_tokens": 24, "temperature": 0.0})
    text = spark_mla.llm_generate_text(documents.prompt, params={"max_tokens": "24"})

    rows = documents.select("id", answer.alias("answer"), text.alias("text")).collect()

    expected = {sample["id"]: sample["expected"] for sample in samples}
    assert {row.id: row.answer.text for row in rows} == expected
    assert {row.id: row.text for row in rows} == expected
    assert {row.answer.finish_reason for row in rows} == {"stop"}


def test_stops_at_texts(documents, samples):
    stop = [samples[0]["expected"][:3], "never [met]"]
    rows = documents.filter(functions.col("id") == samples[0]["id"])

    texts = rows.select(
        spark_mla.llm_generate_text("prompt", params={"stop": stop}),
        spark_mla.llm_generate_text("prompt", params={"stop": stop[0], "seed": None}),
    ).first()

    assert list(texts) == ["", ""]


def test_parameters_may_be_columns(spark):
    rows = spark.createDataFrame([(1, "A text."), (3, "A text.")], "tokens INT, prompt STRING")
    limit = functions.col("tokens")
    named = spark_mla.llm_generate("prompt", params={"max_tokens": limit, "temperature": 0})
    mapped = spark_mla.llm_generate(
        "prompt", params=functions.create_map(functions.lit("max_tokens"), limit.cast("string"))
    )

    counted = rows.select("tokens", named.output_tokens, mapped.output_tokens).collect()

    assert sorted(map(tuple, counted)) == [(1, 1, 1), (3, 3, 3)]


def test_system_is_a_text_or_a_column(spark):
    rows = spark.createDataFrame([("Be brief.", "Hello.")], "system STRING, prompt STRING")
    once = {"max_tokens": 1}

    tokens = rows.select(
        spark_mla.llm_generate("prompt", params=once).prompt_tokens,
        spark_mla.llm_generate("prompt", params=once, system="Be brief.").prompt_tokens,
        spark_mla.llm_generate("prompt", params=once, system=functions.col("system")).prompt_tokens,
    ).first()

    assert tokens[0] < tokens[1] == tokens[2]


def test_errors_go_where_they_are_sent(spark):
    rows = spark.createDataFrame([("",)], "prompt STRING")

    said, null = rows.select(
        spark_mla.llm_generate("prompt"), spark_mla.llm_generate("prompt", on_error="null")
    ).first()

    assert said.error.code == "EMPTY_PROMPT"
    assert null is None


def test_overflow_is_said_to_the_call(spark):
    rows = spark.createDataFrame([("A text.",)], "prompt STRING")

    cut = rows.select(spark_mla.llm_generate("prompt", on_overflow="truncate_left"))

    assert "on_overflow => 'truncate_left'" in cut.columns[0]


def test_a_wrong_parameter_is_an_error_of_the_query(spark):
    rows = spark.createDataFrame([("A text.",)], "prompt STRING")

    with pytest.raises(AnalysisException, match="max_tokens"):
        rows.select(spark_mla.llm_generate("prompt", params={"max_tokens": 0})).printSchema()


def test_answers_have_types(documents, samples):
    amounts = [sample for sample in samples if sample["expected"].endswith(" euros")]
    asked = documents.filter(functions.col("id").isin([sample["id"] for sample in amounts]))
    schema = {
        "type": "object",
        "properties": {"open": {"type": "boolean"}, "grade": {"enum": ["a", "b"]}},
        "required": ["open", "grade"],
        "additionalProperties": False,
    }
    kind = types.StructType([types.StructField("is `open`", types.BooleanType(), False)])
    params = {"max_tokens": 40}

    rows = asked.select(
        "id",
        spark_mla.llm_generate(
            "prompt", params=params, response_format="regex: [1-9][0-9]{0,2}(,[0-9]{3})* euros"
        ).value.alias("amount"),
        spark_mla.llm_generate("prompt", params=params, response_format=schema).value.alias("facts"),
        spark_mla.llm_generate("prompt", params=params, response_format=kind).value.alias("kind"),
        spark_mla.llm_generate_text("prompt", params=params, response_format=kind).alias("text"),
    ).collect()

    assert {row.id: row.amount for row in rows} == {
        sample["id"]: sample["expected"] for sample in amounts
    }
    assert {(type(row.facts.open), row.facts.grade in "ab") for row in rows} == {(bool, True)}
    assert [row.kind.asDict() for row in rows] == [json.loads(row.text) for row in rows]
    assert {type(row.kind["is `open`"]) for row in rows} == {bool}


def test_variants_and_log_probabilities(documents):
    params = {"max_tokens": 8, "temperature": 1, "n": 3, "logprobs": 2}
    answer = spark_mla.llm_generate("prompt", params=params)

    row = documents.limit(1).select(answer.alias("answer")).first().answer

    assert len(row.texts) == 3
    assert row.texts[0] == row.text
    assert len(row.finish_reasons) == 3
    assert all(token.logprob <= token.top_logprobs[0].logprob <= 0 for token in row.logprobs)
    assert all(len(token.top_logprobs) == 2 for token in row.logprobs)


def test_a_wrong_format_is_an_error_of_the_query(documents):
    wrong = spark_mla.llm_generate("prompt", response_format={"type": "object", "if": {}})

    with pytest.raises(AnalysisException, match="if is not supported; supported are"):
        documents.select(wrong).schema  # noqa: B018: analysed here


def test_counts_and_shows_prompts(documents):
    once = {"max_tokens": 1}

    for row in documents.select(
        "question",
        spark_mla.llm_generate("prompt", params=once).prompt_tokens.alias("generated"),
        spark_mla.llm_count_tokens("prompt").alias("counted"),
        spark_mla.llm_render_chat("prompt").alias("rendered"),
    ).collect():
        assert row.counted == row.generated
        assert row.rendered.startswith("<|bos|>")
        assert row.question in row.rendered


def test_settings_name_what_is_needed(monkeypatch, tmp_path):
    (tmp_path / "a.jar").touch()
    needed = {
        "spark.plugins": "dev.sparkmla.plugin.MlaPlugin",
        "spark.sql.extensions": "dev.sparkmla.sql.MlaExtensions",
        "spark.mla.model.path": "/models/elsewhere",
    }

    def with_jar(jar):
        return {**needed, "spark.jars": jar}

    own = str(PACKAGE / "spark_mla" / "spark-mla.jar")
    assert spark_mla.settings("/models/elsewhere") == with_jar(own)
    assert spark_mla.settings("/models/elsewhere", jar=None) == needed
    assert spark_mla.settings("/models/elsewhere", jar="s3a://a/b.jar") == with_jar("s3a://a/b.jar")
    monkeypatch.chdir(tmp_path.parent)
    assert spark_mla.settings(tmp_path.name, jar=f"{tmp_path.name}/a.jar") == {
        **with_jar(f"{tmp_path}/a.jar"),
        "spark.mla.model.path": str(tmp_path),
    }
    with pytest.raises(FileNotFoundError, match="bin/generate"):
        spark_mla.settings("/models/elsewhere", jar=tmp_path / "nowhere.jar")


def test_types_hold():
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", f"--cache-dir={ROOT / 'build' / 'mypy'}"],
        cwd=PACKAGE,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_installs_by_pip_with_the_jar_and_starts_sessions(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
        + ["--no-index", "--target", str(tmp_path), str(PACKAGE)],
        check=True,
    )
    installed = tmp_path / "spark_mla"
    for path in (*(PACKAGE / "spark_mla").glob("*.py"), PACKAGE / "spark_mla" / "py.typed"):
        assert (installed / path.name).is_file()

    answer = run_with(tmp_path, STARTED)
    refusals = run_with(tmp_path, REFUSED)

    jar, tokens = answer.splitlines()
    assert jar == str(installed / "spark-mla.jar")
    assert int(tokens) > 0
    running, has_run = refusals.splitlines()
    assert "run without Spark MLA" in running
    assert "start this process again" in has_run


def run_with(package, script):
    """What a script prints that finds the package installed in a folder.

    It starts a session of its own: the variables by which PySpark keeps this process's session,
    over Connect or not, are left out.
    """
    settings = {
        key: value
        for key, value in os.environ.items()
        if key != "PYTHONPATH" and not key.startswith(("SPARK_", "PYSPARK_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT / "jobs" / "demo-model" / "model")],
        cwd=package,
        env={**settings, "SPARK_LOCAL_IP": "127.0.0.1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


STARTED = """
import sys
import spark_mla

config = {
    "spark.master": "local[1]",
    "spark.ui.enabled": "false",
    "spark.mla.backend": "cpu",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
spark = spark_mla.session(sys.argv[1], config=config)
assert spark_mla.session(sys.argv[1]) is spark
print(spark.conf.get("spark.jars"))
print(spark.sql("SELECT llm_count_tokens('one two')").first()[0])
spark.stop()
"""

REFUSED = """
import sys
import spark_mla
from pyspark.sql import SparkSession

config = {
    "spark.master": "local[1]",
    "spark.ui.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
plain = SparkSession.builder.config(map=config).getOrCreate()
for attempt in range(2):
    try:
        spark_mla.session(sys.argv[1], config=config)
    except RuntimeError as refused:
        print(refused)
    plain.stop()
"""
