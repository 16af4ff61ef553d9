"""llm_generate as PySpark calls it with nothing of ours installed, answered by the demo model.

Passes in classic PySpark and, with --connect, over Spark Connect.
"""

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import functions

CALL = "llm_generate(prompt, params => map('max_tokens', '24', 'temperature', '0'))"


def test_answers_as_a_column(documents, samples):
    rows = documents.select("id", functions.expr(CALL).alias("answer")).collect()

    answers = {row.id: row.answer for row in rows}
    assert {id: answer.text for id, answer in answers.items()} == {
        sample["id"]: sample["expected"] for sample in samples
    }
    for answer in answers.values():
        assert answer.finish_reason == "stop"
        assert answer.prompt_tokens > 100
        assert 0 < answer.output_tokens <= 24
        assert answer.error is None


def test_answers_by_call_function(documents, samples):
    nothing = functions.lit(None)
    params = functions.create_map(functions.lit("max_tokens"), functions.lit("24"))
    system = functions.lit("Answer with the fact alone.")
    text = functions.call_function("llm_generate_text", "prompt", params, nothing)
    instructed = functions.call_function("llm_generate", "prompt", params, system)

    rows = documents.select("id", text.alias("text"), instructed.alias("instructed")).collect()

    expected = {sample["id"]: sample["expected"] for sample in samples}
    assert {row.id: row.text for row in rows} == expected
    assert {row.id: row.instructed.text for row in rows} == expected


def test_answers_in_sql(spark, documents, samples):
    rows = spark.sql(
        "SELECT count(*) AS right FROM documents"
        " WHERE llm_generate_text(prompt, params => map('max_tokens', '24')) = expected"
    ).collect()

    assert rows[0].right == len(samples)


def test_has_a_struct_of_named_fields(documents):
    field = documents.select(functions.expr(CALL).alias("answer")).schema["answer"]

    assert field.dataType.simpleString() == (
        "struct<text:string,reasoning:string,finish_reason:string,prompt_tokens:int,"
        "cached_tokens:int,output_tokens:int,error:struct<code:string,message:string>>"
    )


def test_stops_at_max_tokens(documents):
    row = documents.select(
        functions.expr("llm_generate(prompt, params => map('max_tokens', '1'))").alias("answer")
    ).first()

    assert row.answer.finish_reason == "length"
    assert row.answer.output_tokens == 1


def test_a_wrong_row_ends_as_its_own_error(spark):
    rows = spark.sql(
        "SELECT id, llm_generate(prompt, params => map('max_tokens', tokens)) AS answer"
        " FROM VALUES (1, '', '4'), (2, NULL, '4'), (3, 'A text.', '0'), (4, 'A text.', '4'),"
        " (5, repeat('long ', 40000), '4') AS t(id, prompt, tokens)"
    ).collect()

    answers = {row.id: row.answer for row in rows}
    assert answers[2] is None
    assert answers[1].error.code == "EMPTY_PROMPT"
    assert answers[3].error.code == "INVALID_PARAMETER"
    assert answers[5].error.code == "PROMPT_TOO_LONG"
    assert answers[5].prompt_tokens >= 40000
    for id in (1, 3, 5):
        assert answers[id].finish_reason == "error"
        assert answers[id].error.message
    assert answers[4].error is None
    assert answers[4].output_tokens > 0


def test_a_wrong_constant_is_an_error_of_the_query(spark, documents):
    with pytest.raises(AnalysisException, match="temperature"):
        spark.sql("SELECT llm_generate(prompt, params => map('temperature', 'hot')) FROM documents")
    with pytest.raises(AnalysisException, match="no argument 'sytem'"):
        spark.sql("SELECT llm_generate(prompt, sytem => 'x') FROM documents")


def test_a_wrong_row_fails_the_job_where_that_is_asked_for(spark):
    rows = spark.createDataFrame([(1, "A text."), (2, "")], "id INT, prompt STRING")
    strict = functions.expr("llm_generate_text(prompt, map('max_tokens', '1'), on_error => 'fail')")

    # Classic: py4j.protocol.Py4JJavaError; over Connect: pyspark.errors.SparkException.
    with pytest.raises(Exception, match="EMPTY_PROMPT"):
        rows.select(strict).collect()


def test_explain_shows_the_operator(documents, capsys):
    documents.filter("length(llm_generate_text(prompt)) > 3").select("id").explain()

    plan = capsys.readouterr().out
    assert "LlmGeneration llm_generate" in plan
    assert plan.count("llm_generate(prompt") == 1


def test_the_same_prompt_and_seed_give_the_same_text(documents):
    sampled = functions.expr(
        "llm_generate_text(prompt, params => map('temperature', '2', 'seed', '7',"
        " 'max_tokens', '16'))"
    )

    once = documents.repartition(1).select("id", sampled.alias("text")).collect()
    again = documents.repartition(5).select("id", sampled.alias("text")).collect()

    assert {row.id: row.text for row in once} == {row.id: row.text for row in again}
