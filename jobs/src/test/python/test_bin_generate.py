"""The command that a person types, from another folder and with spaces in its paths."""

import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess

import pandas
import pyarrow
import pyarrow.parquet
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[4]


MODEL = ROOT / "jobs" / "demo-model" / "model"
SHORT = ("--max-tokens", 4, "--backend", "cpu", "--master", "local[2]", "--conf=spark.ui.enabled=false")
# Java that computes next to nothing is done sooner without its optimizing compiler.
START_FAST = "--conf=spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xlog:disable"


def generate(folder, *arguments, root=ROOT, without=("SPARK_HOME",), **environment):
    settings = {key: value for key, value in os.environ.items() if key not in without}
    return subprocess.run(
        [str(root / "bin" / "generate"), *map(str, arguments)],
        cwd=folder,
        env={**settings, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Options of a run that computes next to nothing, most of which is Java's loading of classes: it
    takes them from an archive that a run before has left."""
    folder = tmp_path_factory.mktemp("classes")
    archive = folder / "classes.jsa"
    (folder / "in.jsonl").write_text('{"prompt": "one"}', "utf-8")
    archiving = f"{START_FAST} -XX:ArchiveClassesAtExit={archive}"
    done = generate(folder, *("--input", "in.jsonl", "--output", "out", *SHORT, archiving))
    assert done.returncode == 0, done.stderr
    yield (*SHORT, f"{START_FAST} -XX:SharedArchiveFile={archive}")
    archive.unlink(missing_ok=True)


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
        *("--conf=spark.ui.enabled=false", START_FAST),
        SPARK_HOME=str(pathlib.Path(pyspark.__file__).parent),
    )

    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "out")[1]["error_code"] == "EMPTY_PROMPT"


def test_says_what_is_wrong(tmp_path):
    both = generate(tmp_path, "--resume", "--force")
    no_spark = generate(tmp_path, "--help", SPARK_HOME=str(tmp_path))
    no_java = generate(tmp_path, "--help", JAVA_HOME=str(tmp_path))
    no_master = generate(tmp_path, "--master", "nowhere")
    nameless = tmp_path / "id"
    nameless.write_text("#!/bin/sh\n[ $1 = -u ] && echo 12345\n", "utf-8")
    nameless.chmod(0o755)
    no_name = generate(tmp_path, "--help", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    assert (both.returncode, no_spark.returncode, no_java.returncode) == (2, 1, 1)
    assert (no_master.returncode, no_name.returncode) == (2, 1)
    assert no_name.stderr.startswith("generate: the user 12345 has no name")
    assert no_master.stderr.startswith("generate: there can be no master nowhere: expected local[N]")
    assert len(no_master.stderr.splitlines()) == 1
    assert "--resume goes on with an unfinished output, --force deletes it" in both.stderr
    assert "bin/spark-submit" in no_spark.stderr
    assert "JAVA_HOME" in no_java.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--conf", "foo"], "--conf 'foo' sets nothing: expected KEY=VALUE"),
        (["--conf=foo"], "--conf 'foo' sets nothing: expected KEY=VALUE"),
        (["--conf", "=foo"], "--conf '=foo' sets nothing: expected KEY=VALUE"),
        (["--conf", ""], "--conf '' sets nothing: expected KEY=VALUE"),
        (["--conf"], "--conf needs a value"),
        (["--master="], "the value of --master is empty: expected local[N]"),
    ],
)
def test_refuses_what_spark_submit_would_take_wrongly(tmp_path, arguments, message):
    done = generate(tmp_path, *arguments)

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"generate: {message}")
    assert not done.stdout


def said(done):
    """The lines on stderr, without those that every run has, or every run that takes a while."""
    usual = ("WARNING: Using incubator modules", "loading the model")
    progress = re.compile(r"[\d,]+ of [\d,]+ rows ")
    return [
        line
        for line in done.stderr.splitlines()
        if not line.startswith(usual) and not progress.match(line)
    ]


def test_takes_arguments_and_paths_as_utf_8_whatever_the_locale(tmp_path, short):
    system, stop = "Réponds en français", "é"
    told = [{"role": "system", "content": system}, {"role": "user", "content": "Bonjour"}]
    prompts = [{"id": 1, "prompt": "Bonjour"}, {"id": 2, "prompt": told}]
    (tmp_path / "entrée.jsonl").write_text("\n".join(map(json.dumps, prompts)), "utf-8")

    done = generate(
        tmp_path,
        *("--input", "entrée.jsonl", "--output", "réponses", "--output-format", "json"),
        *("--system", system, "--stop", stop, *short),
        without=("SPARK_HOME", "LANG", "LC_CTYPE"),
        LC_ALL="C",
    )

    assert done.returncode == 0, done.stderr
    answers = rows(tmp_path / "réponses")
    assert answers[1]["error_code"] is None
    assert answers[1]["prompt_tokens"] == answers[2]["prompt_tokens"]
    assert answers[1]["text"] == answers[2]["text"]


def test_needs_no_home_and_prints_no_traces_for_a_glob(tmp_path, short):
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"id": name, "prompt": name}), "utf-8")

    done = generate(
        tmp_path,
        *("--input", tmp_path / "*.jsonl", "--output", "out", "--output-format", "json", *short),
        without=("SPARK_HOME", "HOME"),
    )

    assert done.returncode == 0, done.stderr
    assert said(done) == []
    assert set(rows(tmp_path / "out")) == {"a", "b"}


def test_refuses_a_model_in_one_line(tmp_path, short):
    model = shutil.copytree(MODEL, tmp_path / "model")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (model / "model.safetensors").write_text(pointer, "utf-8")
    (tmp_path / "in.jsonl").write_text('{"prompt": "one"}', "utf-8")

    done = generate(tmp_path, *("--input", "in.jsonl", "--output", "out", "--model", model, *short))

    assert done.returncode == 1
    (line,) = said(done)
    assert line.startswith("generate: ")
    assert "model.safetensors: is a Git LFS pointer" in line
    assert not (tmp_path / "out").exists()


def test_keeps_the_old_output_and_says_one_line_of_what_failed(tmp_path, short):
    (tmp_path / "in.jsonl").write_text('{"prompt": ""}', "utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.json").write_text("{}", "utf-8")

    done = generate(
        tmp_path,
        *("--input", "in.jsonl", "--output", "out", "--overwrite", "--on-error", "fail", *short),
    )

    assert done.returncode == 1
    assert said(done) == ["generate: EMPTY_PROMPT: The prompt is an empty text."]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old.json"]


def test_says_once_what_a_models_sampling_asks_for_in_vain(tmp_path, short):
    model = shutil.copytree(MODEL, tmp_path / "model")
    config = json.loads((model / "generation_config.json").read_text("utf-8"))
    config["no_repeat_ngram_size"] = 3
    (model / "generation_config.json").write_text(json.dumps(config), "utf-8")
    (tmp_path / "in.jsonl").write_text('{"prompt": "one"}', "utf-8")

    done = generate(tmp_path, *("--input", "in.jsonl", "--output", "out", "--model", model, *short))

    assert done.returncode == 0, done.stderr
    (line,) = said(done)
    assert "generation_config.json: no_repeat_ngram_size is not supported" in line


def test_carries_a_time_that_pandas_writes(tmp_path, short):
    times = [datetime.time(1, 2, 3), None]
    documents = pandas.DataFrame({"id": [1, 2], "prompt": ["one", "two"], "at": times})
    documents.to_parquet(tmp_path / "in.parquet")

    done = generate(
        tmp_path,
        *("--input", "in.parquet", "--output", "out", "--output-format", "json", *short),
    )

    assert done.returncode == 0, done.stderr
    assert {key: row["at"] for key, row in rows(tmp_path / "out").items()} == {1: "01:02:03", 2: None}


@pytest.mark.parametrize(
    ("column", "remedy"),
    [
        (pyarrow.array([0, 1], pyarrow.timestamp("ns")), "coerce_timestamps='us'"),
        (pyarrow.array([0.5, 1], pyarrow.float64()).cast(pyarrow.float16()), "float32"),
    ],
    ids=["nanoseconds", "float16"],
)
def test_names_a_column_that_spark_does_not_read(tmp_path, column, remedy, short):
    table = pyarrow.table({"prompt": ["one", "two"], "extra": column})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet", version="2.6")

    done = generate(tmp_path, *("--input", "in.parquet", "--output", "out", *short))

    assert done.returncode == 1
    (line,) = said(done)
    assert line.startswith("generate: the column extra of ")
    assert "in.parquet has a type that Spark does not read" in line
    assert remedy in line


def write_script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}", "utf-8")
    path.chmod(0o755)


def test_builds_again_after_a_build_that_was_interrupted(tmp_path):
    """With a Maven that makes empty files, and a Spark that says what it is given."""
    root = tmp_path / "repository"
    shutil.copytree(ROOT / "bin", root / "bin")
    source = root / "jobs" / "src" / "main" / "A.java"
    source.parent.mkdir(parents=True)
    source.touch()
    jar = root / "assembly" / "target" / "spark-mla-spark_4.2_2.13-1.jar"
    write_script(
        tmp_path / "tools" / "mvn",
        """echo built >> builds
        if [ -e interrupt ]; then kill -9 $PPID; exit 1; fi
        mkdir -p assembly/target jobs/target
        touch assembly/target/spark-mla-spark_4.2_2.13-1.jar jobs/target/spark.classpath
        """,
    )
    write_script(tmp_path / "spark" / "bin" / "spark-submit", 'echo "$@"\n')
    (tmp_path / "spark" / "jars").mkdir()
    (tmp_path / "spark" / "jars" / "spark-sql_2.13-4.2.0.jar").touch()

    def generate_here():
        path = f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}"
        return generate(tmp_path, root=root, PATH=path, SPARK_HOME=str(tmp_path / "spark"))

    before = source.stat().st_mtime
    first = generate_here()
    os.utime(source, (before + 3600, before + 3600))
    (root / "interrupt").touch()
    interrupted = generate_here()
    os.utime(source, (before - 3600, before - 3600))
    (root / "interrupt").unlink()
    again = generate_here()
    unchanged = generate_here()

    assert interrupted.returncode == -9
    for done in (first, again, unchanged):
        assert done.returncode == 0, done.stderr
        assert str(jar) in done.stdout
    assert "building" not in unchanged.stderr
    assert (root / "builds").read_text("utf-8").count("built") == 3
