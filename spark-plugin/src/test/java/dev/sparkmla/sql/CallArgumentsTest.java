package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.apache.spark.sql.AnalysisException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is wrong with a call's arguments is said before anything runs. */
class CallArgumentsTest {
  @RegisterExtension static final LocalSpark SPARK = new LocalSpark();

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "llm_generate() | llm_generate needs its argument 'prompt'",
        "llm_generate(system => 's') | llm_generate needs its argument 'prompt'",
        "llm_generate_text() | llm_generate_text needs its argument 'prompt'",
        "llm_generate(p, prompt => p) | llm_generate is given its argument 'prompt' twice",
        "llm_generate(p, sytem => 's') | llm_generate has no argument 'sytem'; it has prompt,",
        "llm_generate(p, null, 's', 'row', 'error', 'json', 1) | llm_generate takes 6 arguments at"
            + " most",
        "llm_generate(id) | llm_generate takes STRING or ARRAY<STRUCT<role STRING, content STRING"
            + " or ARRAY<STRUCT<type STRING, text STRING>>>> for 'prompt', not BIGINT as in",
        "llm_generate(array(p)) | for 'prompt', not ARRAY<STRING>",
        "llm_generate(array(struct(p as role, id as content))) | for 'prompt', not ARRAY<STRUCT<",
        "llm_generate(array(struct(p as role, p as text))) | for 'prompt', not ARRAY<STRUCT<",
        "llm_generate(array(struct('user' as role, p as content, cast(p as binary) as image))) | a"
            + " message's fields and parts are for the chat template, which reads no BINARY, as in"
            + " ARRAY<STRUCT<",
        "llm_generate(array(struct('user' as role, array(struct('image' as type, cast(p as binary)"
            + " as text)) as content))) | for 'prompt', not ARRAY<STRUCT<",
        "llm_generate(p, map('max_tokens', '5', 'max_new_tokens', '5')) | max_tokens is given by"
            + " more than one of its names",
        "llm_generate(p, map('tools', to_json(named_struct('a', 1)))) | tools is '{",
        "llm_generate(p, 'max_tokens') | llm_generate takes MAP<STRING, STRING> for 'params', not"
            + " STRING",
        "llm_generate(p, map('stop', array('x'))) | llm_generate takes MAP<STRING, STRING> for"
            + " 'params', not MAP<STRING, ARRAY<STRING>>",
        "llm_generate(p, map('max_token', '5')) | llm_generate: There is no parameter 'max_token'",
        "llm_generate(p, map('response_format', 'regex: (a')) | llm_generate: response_format"
            + " cannot be used: ",
        "llm_generate(p, response_format => 'regex: (a') | llm_generate: response_format cannot be"
            + " used: ",
        "llm_generate(p, response_format => '{\"if\": true}') | llm_generate: response_format"
            + " cannot be used: the response format's #/if is not supported; supported are",
        "llm_generate(p, response_format => p) | llm_generate needs a constant for"
            + " 'response_format', not",
        "llm_generate(p, response_format => 5) | llm_generate takes STRING for 'response_format',"
            + " not INT",
        "llm_generate(p, map('response_format', 'json'), response_format => 'json') | llm_generate"
            + " is given 'response_format' twice, also in its 'params'",
        "llm_generate(p, response_format => 'STRUCT<a: THING>') | llm_generate: the response format"
            + " 'STRUCT<a: THING>' is no Spark type",
        "llm_generate_text(p, response_format => 'STRUCT<a: BINARY>') | llm_generate_text: the"
            + " field a is BINARY, which is not supported; it can be STRUCT,",
        "llm_generate(p, map('n', id)) | llm_generate needs a constant for 'n' in its 'params'",
        "llm_generate(p, map('logprobs', id)) | llm_generate needs a constant for 'logprobs' in its"
            + " 'params'",
        "llm_generate(p, map('n', '0', 'seed', id)) | n is '0'; it must be an integer from 1 to"
            + " 128",
        "llm_generate(p, map('temperature', 'warm')) | temperature is 'warm'; it must be",
        "llm_generate(p, map('max_tokens', 5, 'seed', 'x')) | seed is 'x'; it must be an integer from",
        "llm_generate(p, map('top_p', 1.5)) | top_p is '1.5'; it must be a number above 0, at most"
            + " 1",
        "llm_generate(p, map('top_k', 2.5)) | top_k is '2.5'; it must be an integer from 0",
        "llm_generate(p, map('seed', 'x')) | seed is 'x'; it must be an integer from",
        "llm_generate(p, map('stop', '')) | stop is ''; it must be a text that is not empty",
        "llm_generate(p, map('stop', '[1]')) | stop is '[1]'; it must be a text that is not empty,"
            + " or a JSON array",
        "llm_generate(p, map('max_tokens', '0')) | max_tokens is '0'; it must be an integer from 1",
        "llm_generate(p, map('temperature', '-1')) | temperature is '-1'; it must be",
        "llm_generate(p, system => 5) | llm_generate takes STRING for 'system', not INT as in 5",
        "llm_generate(p, on_error => 'skip') | llm_generate takes one of 'row', 'null', 'fail' for"
            + " 'on_error', not 'skip'",
        "llm_generate(p, on_error => p) | llm_generate needs a constant for 'on_error', not",
        "llm_generate(p, on_error => 1) | llm_generate takes STRING for 'on_error', not INT",
        "llm_count_tokens() | llm_count_tokens takes one argument, 'prompt', not 0",
        "llm_count_tokens(p, p) | llm_count_tokens takes one argument, 'prompt', not 2",
        "llm_count_tokens(text => p) | llm_count_tokens has no argument 'text'; it has prompt",
        "llm_count_tokens(id) | llm_count_tokens takes STRING or ARRAY<STRUCT<role STRING, content"
            + " STRING or ARRAY<STRUCT<type STRING, text STRING>>>> for 'prompt', not BIGINT as in",
        "llm_render_chat(p) | llm_render_chat takes ARRAY<STRUCT<role STRING, content STRING or"
            + " ARRAY<STRUCT<type STRING, text STRING>>>> for 'messages', not STRING as in",
        "llm_generate(p, on_overflow => 'cut') | takes one of 'error', 'truncate_left',"
            + " 'truncate_middle', 'truncate_output' for 'on_overflow', not 'cut'",
      })
  void refusesInTheAnalysis(String call, String message) {
    SPARK.makeTable(1, 1);
    assertThatThrownBy(() -> SPARK.session().sql("select " + call + " from t"))
        .isInstanceOf(AnalysisException.class)
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "llm_generate(p)",
        "llm_generate(prompt => p)",
        "llm_generate(p, map())",
        "llm_generate(p, map('max_tokens', 5))",
        "llm_generate(p, map('ignore_eos', 'true', 'max_tokens', 8))",
        "llm_generate(p, map('stop', '[\"a\"]', 'max_tokens', 8, 'temperature', 0.5D, 'seed', id))",
        "llm_generate(p, response_format => cast(null as string), on_error => cast(null as string))",
        "llm_generate(p, map('include_stop', true, 'skip_special_tokens', false))",
        "llm_generate(p, map('chat_template_kwargs', to_json(named_struct('enable_thinking', id >"
            + " 0))))",
        "llm_generate(p, PARAMS => map('seed', '1'), SYSTEM => 's')",
        "llm_generate(p, null, null, null, null)",
        "llm_generate(p, on_error => concat('r', 'ow'))",
        "llm_generate(cast(p as varchar(20)))",
      })
  void accepts(String call) {
    SPARK.makeTable(1, 1);
    assertThat(SPARK.session().sql("select " + call + ".text g from t").first().getString(0))
        .isEqualTo("<prompt 0>");
  }

  @Test
  void namesAColumnAfterItsCallAlsoWherePartsAreJoined() {
    SPARK.makeTable(1, 1);
    assertThat(
            SPARK
                .session()
                .sql(
                    "select llm_generate(c) from (select array(named_struct('role', 'user',"
                        + " 'content', array(named_struct('type', 'text', 'text', p)))) c from t)")
                .columns())
        .containsExactly("llm_generate(c)");
  }

  @Test
  void namesAColumnAfterItsCall() {
    SPARK.makeTable(1, 1);
    assertThat(
            SPARK
                .session()
                .sql("select llm_generate(p), llm_generate_text(p, system => 's') from t")
                .columns())
        .containsExactly("llm_generate(p)", "llm_generate_text(p, system => s)");
  }

  @Test
  void showsTheCallInThePlan() {
    SPARK.makeTable(1, 1);
    String plan =
        SPARK
            .session()
            .sql("explain select llm_generate(p, map('seed', '1'), on_error => 'null') from t")
            .first()
            .getString(0);
    assertThat(plan)
        .containsPattern(
            "LlmGeneration llm_generate\\(concat\\(prompt , cast\\(id#\\d+L as string\\)\\), params"
                + " => MAP\\('seed', '1'\\), on_error => 'null'\\) AS llm_generate#\\d+, model:"
                + " none, batch: 64 rows or 4m, window: 64m");
  }

  @Test
  void takesALambdaOfItsOwn() {
    SPARK.makeTable(1, 1);
    assertThat(
            SPARK
                .session()
                .sql(
                    "select llm_generate_text(array_join(transform(array('a', 'b'),"
                        + " x -> concat(x, transform(array('c'), y -> x)[0])), '')) g from t")
                .first()
                .getString(0))
        .isEqualTo("<aabb>");
  }

  @Test
  void describesTheFunctions() {
    assertThat(SPARK.session().sql("describe function extended llm_generate").collectAsList())
        .anyMatch(row -> row.getString(0).contains("llm_generate(prompt [, params"));
  }
}
