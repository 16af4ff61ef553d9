"""The SQL functions of Spark MLA as columns. docs/sql.md tells what each does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from pyspark.sql import Column
from pyspark.sql.functions import call_function, create_map, lit
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

ColumnOrName: TypeAlias = Column | str
"""A column, or the name of one."""

Constant: TypeAlias = (
    str
    | bool
    | int
    | float
    | Sequence[str]
    | Sequence[int]
    | Sequence[Mapping[str, Any]]
    | Mapping[str, Any]
    | Mapping[int, float]
)
"""A value that is the same for all rows."""

Parameter: TypeAlias = Constant | Column | None
"""The value of a generation parameter; several values are given as a sequence or a mapping."""

OnError: TypeAlias = Literal["row", "null", "fail"]
"""What becomes of a row in error."""

OnOverflow: TypeAlias = Literal["error", "truncate_left", "truncate_middle", "truncate_output"]
"""What becomes of a prompt that does not fit."""

ResponseFormat: TypeAlias = str | Mapping[str, object] | DataType
"""The form that texts are held to; a mapping is a JSON schema."""


def llm_generate(
    prompt: ColumnOrName,
    *,
    params: Mapping[str, Parameter] | Column | None = None,
    system: str | Column | None = None,
    on_error: OnError = "row",
    on_overflow: OnOverflow = "error",
    response_format: ResponseFormat | None = None,
) -> Column:
    """What the model generates for a prompt, with its counts and its error.

    Parameters
    ----------
    prompt
        A column, or the name of one: STRING, which is continued as it stands, or
        ARRAY<STRUCT<role STRING, content STRING>>, a conversation for the model's chat template,
        which gets further fields of a message too (`name`, `tool_calls`).
    params
        `max_tokens`, `temperature`, `top_k`, `top_p`, `min_p`, `repetition_penalty`,
        `presence_penalty`, `frequency_penalty`, `logit_bias`, `bad_words`, `min_tokens`,
        `ignore_eos`, `stop_token_ids`, `stop`, `include_stop`, `skip_special_tokens`,
        `response_white_space`, `logprobs`, `seed`, `chat_template_kwargs`,
        `continue_final_message`, `tools`, `n`. A value may be a column, but for `n` and
        `logprobs`. `stop` and `bad_words` take a text or a list of texts, `stop_token_ids` a list
        of ids, `logit_bias` and `chat_template_kwargs` a dict, `tools` a list of dicts. None as a
        value is as if it were not named. `response_format` stands here where rows have formats of
        their own, in a column. The whole may also be a column of MAP<STRING, STRING>.
    system
        The system message: a text (not the name of a column) or a column.
    on_error
        "row" says in the result what was wrong, "null" makes the result NULL, "fail" fails the job.
    on_overflow
        "error" makes an error of a prompt that does not fit, "truncate_left" drops its beginning,
        "truncate_middle" its middle; "truncate_output" generates fewer tokens.
    response_format
        The form that texts are held to: a Spark type, also as DDL text; a JSON schema as mapping
        or text, such as pydantic's `Model.model_json_schema()`; "regex: ...",
        'choice: ["a", "b"]' or "json". The result gets a field `value` of the type that fits.

    Returns
    -------
    Column
        STRUCT<text STRING, reasoning STRING, finish_reason STRING, prompt_tokens INT,
        cached_tokens INT, output_tokens INT, error STRUCT<code STRING, message STRING>>; NULL
        where the prompt is. After these, `value` where there is a response format, and with `n`
        above 1 the lists `texts`, `values` where there is a value, and `finish_reasons`; `logprobs`
        where they are asked for. `prompt_tokens` of a prompt that is too long says how long it is;
        it is 0 where tokens were not counted.

    Raises
    ------
    pyspark.errors.AnalysisException
        When the query is analysed, not here: for a wrong argument, or a wrong constant parameter.

    Examples
    --------
    >>> answer = llm_generate("prompt", params={"max_tokens": 24, "temperature": 0})
    >>> documents.select("id", answer.alias("answer")).select("id", "answer.*")

    A parameter that differs from row to row, and several texts to stop at:

    >>> llm_generate("prompt", params={"seed": col("id"), "stop": ["\\n\\n", "END"]})

    Typed columns:

    >>> facts = llm_generate("prompt", response_format="STRUCT<name: STRING, year: INT>")
    >>> documents.select(facts.alias("facts")).select("facts.value.name", "facts.value.year")
    """
    return _generate(
        "llm_generate", prompt, params, system, on_error, on_overflow, response_format
    )


def llm_generate_text(
    prompt: ColumnOrName,
    *,
    params: Mapping[str, Parameter] | Column | None = None,
    system: str | Column | None = None,
    on_error: OnError = "row",
    on_overflow: OnOverflow = "error",
    response_format: ResponseFormat | None = None,
) -> Column:
    """The text alone of what `llm_generate` returns for the same arguments.

    Returns
    -------
    Column
        STRING; NULL where the prompt is, and for a row in error. With a `response_format` that is
        a type or a JSON schema, it is JSON.

    Examples
    --------
    >>> documents.withColumn("answer", llm_generate_text("prompt", system="Answer in one word."))
    """
    return _generate(
        "llm_generate_text", prompt, params, system, on_error, on_overflow, response_format
    )


def llm_count_tokens(prompt: ColumnOrName) -> Column:
    """How many tokens a prompt has: what `llm_generate` of it gives as `prompt_tokens`.

    Parameters
    ----------
    prompt
        A column, or the name of one: STRING or ARRAY<STRUCT<role STRING, content STRING>>.

    Returns
    -------
    Column
        INT; NULL where the prompt is, and for a conversation that the chat template refuses.

    Examples
    --------
    >>> documents.filter(llm_count_tokens("prompt") < 8000)
    """
    return call_function("llm_count_tokens", prompt)


def llm_render_chat(messages: ColumnOrName) -> Column:
    """A conversation as the model's chat template lays it out, for people to read.

    Parameters
    ----------
    messages
        A column, or the name of one: ARRAY<STRUCT<role STRING, content STRING>>.

    Returns
    -------
    Column
        STRING; NULL where the messages are, and where the chat template refuses them.

    Examples
    --------
    >>> documents.select(llm_render_chat("prompt").alias("prompt"))
    """
    return call_function("llm_render_chat", messages)


def _generate(
    function: str,
    prompt: ColumnOrName,
    params: Mapping[str, Parameter] | Column | None,
    system: str | Column | None,
    on_error: OnError,
    on_overflow: OnOverflow,
    response_format: ResponseFormat | None,
) -> Column:
    # A NULL is as if the argument were not given, which is how one between others is left out.
    return call_function(
        function,
        prompt,
        params if isinstance(params, Column) else _map(params),
        system if isinstance(system, Column) else lit(system),
        lit(on_error),
        lit(on_overflow),
        lit(_form(response_format)),
    )


def _form(response_format: ResponseFormat | None) -> str | None:
    if isinstance(response_format, DataType):
        return _ddl(response_format)
    if isinstance(response_format, Mapping):
        return json.dumps(dict(response_format))
    return response_format


def _ddl(data_type: DataType) -> str:
    """A type as DDL text, which says of each field whether it may be NULL."""
    if isinstance(data_type, StructType):
        fields = (
            f"`{field.name.replace('`', '``')}`: {_ddl(field.dataType)}"
            + ("" if field.nullable else " NOT NULL")
            for field in data_type.fields
        )
        return f"STRUCT<{', '.join(fields)}>"
    if isinstance(data_type, ArrayType):
        return f"ARRAY<{_ddl(data_type.elementType)}>"
    if isinstance(data_type, MapType):
        return f"MAP<{_ddl(data_type.keyType)}, {_ddl(data_type.valueType)}>"
    return data_type.simpleString()


def _map(params: Mapping[str, Parameter] | None) -> Column:
    entries: list[Column] = []
    for name, value in (params or {}).items():
        if value is not None:
            entries += [lit(name), _text(value)]
    return create_map(*entries) if entries else lit(None)


def _text(value: Constant | Column) -> Column:
    if isinstance(value, Column):
        return value.cast("string")
    if isinstance(value, Mapping):
        return lit(json.dumps(dict(value)))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return lit(json.dumps(list(value)))
    return lit(str(value))
