"""The command that a person types, from another folder and with spaces in its paths."""

import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[4]


def generate(folder, *arguments, **environment):
    settings = {key: value for key, value in os.environ.items() if key != "SPARK_HOME"}
    return subprocess.run(
        [str(ROOT / "bin" / "generate"), *map(str, arguments)],
        cwd=folder,
        env={**settings, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def rows(output):
    lines = (line for file in output.glob("*.json") for line in file.read_text("utf-8").splitlines())
    return {row.get("id"): row for row in map(json.loads, lines)}


def test_answers_a_file(tmp_path, samples):
    folder = tmp_path / "a folder"
    folder.mkdir()
    lines = "".join(json.dumps(sample) + "\n" for sample in samples)
    (folder / "some documents.jsonl").write_text(lines + "{broken\n", "utf-8")

    done = generate(
        folder,
        *("--input", "some documents.jsonl", "--output", "the answers", "--output-format", "json"),
        *("--max-tokens", 24, "--backend", "cpu", "--master", "local[2]"),
        "--conf=spark.ui.enabled=false",
    )

    assert done.returncode == 0, done.stderr
    answers = rows(folder / "the answers")
    for sample in samples:
        answer = answers[sample["id"]]
        assert answer["text"] == sample["expected"]
        assert answer["document"] == sample["document"]
    assert answers[None]["error_code"] == "BROKEN_ROW"
    assert "BROKEN_ROW 1" in done.stdout


def test_runs_on_the_spark_of_spark_home(tmp_path):
    import pyspark

    (tmp_path / "in.jsonl").write_text('{"id": 1, "prompt": ""}\n', "utf-8")

    done = generate(
        tmp_path,
        *("--input", "in.jsonl", "--output", "out", "--output-format", "json"),
        "--conf=spark.ui.enabled=false",
        SPARK_HOME=str(pathlib.Path(pyspark.__file__).parent),
    )

    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "out")[1]["error_code"] == "EMPTY_PROMPT"


def test_says_what_is_wrong(tmp_path):
    resume = generate(tmp_path, "--resume")
    no_spark = generate(tmp_path, "--help", SPARK_HOME=str(tmp_path))
    no_java = generate(tmp_path, "--help", JAVA_HOME=str(tmp_path))

    assert (resume.returncode, no_spark.returncode, no_java.returncode) == (2, 1, 1)
    assert "--resume is not there yet" in resume.stderr
    assert "bin/spark-submit" in no_spark.stderr
    assert "JAVA_HOME" in no_java.stderr
