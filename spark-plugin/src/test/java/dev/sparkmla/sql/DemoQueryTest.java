package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.arrow.Batches;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.plugin.ExecutorEngine;
import dev.sparkmla.plugin.MlaPlugin;
import dev.sparkmla.plugin.TextGenerator;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.util.ArrowUtils;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** SQL, the plugin, the engine and the demo model together, on the processor. */
class DemoQueryTest {
  private static final Path DEMO = Path.of("..", "jobs");

  private static SparkSession spark;

  @BeforeAll
  static void start() {
    spark =
        LocalSpark.builder()
            .config("spark.plugins", MlaPlugin.class.getName())
            .config("spark.mla.backend", "cpu")
            .config("spark.mla.model.path", DEMO.resolve("demo-model").resolve("model").toString())
            .config("spark.mla.kvcache.size", "64m")
            .getOrCreate();
    spark
        .read()
        .json(DEMO.resolve("sample-data").resolve("documents.jsonl").toString())
        .createOrReplaceTempView("documents");
  }

  @AfterAll
  static void stop() {
    spark.stop();
    assertThat(ArrowUtils.rootAllocator().getAllocatedMemory()).isZero();
  }

  @Test
  void answersQuestionsAboutDocuments() {
    List<Row> rows =
        spark
            .sql(
                "select expected, llm_generate(prompt, map('max_tokens', 32, 'temperature', 0)) g"
                    + " from (select * from documents order by length(document) limit 8)")
            .collectAsList();
    assertThat(rows).hasSize(8);
    for (Row row : rows) {
      Row result = row.getStruct(1);
      assertThat(result.<String>getAs("text")).isEqualTo(row.getString(0));
      assertThat(result.<String>getAs("finish_reason")).isEqualTo("stop");
      assertThat(result.<Integer>getAs("prompt_tokens")).isPositive();
      assertThat(result.<Integer>getAs("output_tokens")).isBetween(1, 32);
    }
  }

  @Test
  void reportsWhatIsWrongWithARow() {
    assertThat(
            spark
                .sql(
                    "select llm_generate(p, map('max_tokens', m)).error.code from"
                        + " values ('', '1'), (repeat('word ', 200000), '1'), ('a', 'x'),"
                        + " ('a', '1'), (null, '1') v(p, m)")
                .collectAsList())
        .extracting(row -> row.getString(0))
        .containsExactly("EMPTY_PROMPT", "PROMPT_TOO_LONG", "INVALID_PARAMETER", null, null);
    Row tooLong =
        spark
            .sql(
                "select g.error.code, g.prompt_tokens, llm_count_tokens(p) from (select p,"
                    + " llm_generate(p, map('max_tokens', 2000000000)) g from values ('a b c') v(p))")
            .first();
    assertThat(tooLong.getString(0)).isEqualTo("PROMPT_TOO_LONG");
    assertThat(tooLong.getInt(1)).isPositive().isEqualTo(tooLong.getInt(2));
    assertThat(
            spark
                .sql(
                    "select llm_generate(array(struct('user' as role,"
                        + " cast(null as string) as content))).error")
                .first()
                .getStruct(0)
                .toString())
        .isEqualTo(
            "[INVALID_PROMPT,Message 1 of the conversation has no content; it must be a text, or a"
                + " list of parts that are all of type text.]");
  }

  /**
   * Held to the form of the answer, the model is right as often as without it: on the shorter half.
   */
  @Test
  void answersThatAreHeldToAFormAreRight() {
    String amount = "regex: [1-9][0-9]{0,2}(,[0-9]{3})* euros";
    String date =
        "regex: [1-9][0-9]? (January|February|March|April|May|June|July|August|September|October"
            + "|November|December) [0-9]{4}";
    String isAmount = "expected like '% euros'";
    String isDate = "expected rlike '^[0-9]+ [A-Z][a-z]+ [0-9]{4}$'";
    spark
        .sql("select * from documents order by length(document) limit 28")
        .createOrReplaceTempView("shorter");
    String choice =
        spark
            .sql("select concat('choice: ', to_json(collect_set(expected))) from shorter")
            .first()
            .getString(0);
    long right = 0;
    long rows = 0;
    for (String[] query :
        new String[][] {
          {amount, isAmount}, {date, isDate}, {choice, "not " + isAmount + " and not " + isDate}
        }) {
      Row counts =
          spark
              .sql(
                  "select count_if(g.value = expected), count(*) from (select expected,"
                      + " llm_generate(prompt, map('max_tokens', 32, 'temperature', 0),"
                      + " response_format => '"
                      + query[0]
                      + "') g from shorter where "
                      + query[1]
                      + ")")
              .first();
      right += counts.getLong(0);
      rows += counts.getLong(1);
    }
    assertThat(rows).isEqualTo(28);
    assertThat(right).isEqualTo(rows);
  }

  @Test
  void answersHaveTheTypeThatIsAskedFor() {
    String type = "STRUCT<open: BOOLEAN NOT NULL, year: SMALLINT NOT NULL, note: VARCHAR(5)>";
    List<Row> rows =
        spark
            .sql(
                "select g.text, to_json(g.value), g.finish_reason, g.error, transform(g.values, v"
                    + " -> to_json(v)), g.texts from (select llm_generate(prompt, map('max_tokens',"
                    + " 64, 'temperature', 1, 'n', 3), response_format => '"
                    + type
                    + "') g from (select * from documents order by length(document) limit 4))")
            .collectAsList();
    assertThat(rows)
        .hasSize(4)
        .allSatisfy(
            row -> {
              assertThat(row.getString(2)).isEqualTo("stop");
              assertThat(row.isNullAt(3)).isTrue();
              // Spark leaves out what is NULL.
              assertThat(row.getString(1))
                  .isEqualTo(row.getString(0).replace(",\"note\":null", ""));
              assertThat(row.<String>getList(4)).hasSize(3).doesNotContainNull();
              assertThat(row.getList(5).get(0)).isEqualTo(row.getString(0));
            });
  }

  @Test
  void anAnswerThatIsCutHasNoValueAndNoError() {
    Row row =
        spark
            .sql(
                "select llm_generate(prompt, map('max_tokens', 2), response_format =>"
                    + " 'STRUCT<year: INT>', on_error => 'fail') g from documents limit 1")
            .first()
            .getStruct(0);
    assertThat(row.<String>getAs("text")).startsWith("{");
    assertThat(row.<String>getAs("finish_reason")).isEqualTo("length");
    assertThat(row.<Object>getAs("value")).isNull();
    assertThat(row.<Object>getAs("error")).isNull();
  }

  @Test
  void namesThePartThatIsNoText() {
    assertThat(
            spark
                .sql(
                    "select llm_generate(array(named_struct('role', 'user', 'content',"
                        + " array(named_struct('type', 'image_url', 'text', cast(null as"
                        + " string)))))).error.message")
                .first()
                .getString(0))
        .isEqualTo(
            "Message 1 of the conversation has a part of type image_url; the model reads parts of"
                + " type text.");
  }

  @Test
  void continuesTheAssistantsMessage() {
    Row row =
        spark
            .sql(
                "select llm_generate(m, map('max_tokens', 2)) a,"
                    + " llm_generate(m, map('max_tokens', '2', 'continue_final_message', 'true')) b"
                    + " from (select array(struct('user' as role, 'x' as content),"
                    + " struct('assistant' as role, 'y' as content)) m)")
            .first();
    assertThat(row.getStruct(1).<Integer>getAs("prompt_tokens"))
        .isLessThan(row.getStruct(0).<Integer>getAs("prompt_tokens"));
  }

  @Test
  void takesWholeNumbersOutOfMapsOfFractions() {
    assertThat(
            spark
                .sql(
                    "select llm_generate(p, map('max_tokens', 4, 'temperature', 0.7)),"
                        + " llm_generate(p, map('max_tokens', 4, 'temperature', t))"
                        + " from values ('Hello', 0.5D), ('World', null) v(p, t)")
                .collectAsList())
        .hasSize(2)
        .allSatisfy(
            row -> {
              assertThat(row.getStruct(0).<Integer>getAs("output_tokens")).isEqualTo(4);
              assertThat(row.getStruct(1).<Integer>getAs("output_tokens")).isEqualTo(4);
            });
  }

  @Test
  void joinsTheTextsOfContentThatIsAListOfParts() {
    String parts =
        "array(named_struct('role', 'user', 'content', array("
            + "named_struct('type', 'text', 'text', 'river '),"
            + " named_struct('type', %s, 'text', '19'))))";
    String text = "array(named_struct('role', 'user', 'content', 'river 19'))";
    Row row =
        spark
            .sql(
                String.format(
                    "select llm_render_chat(%s), llm_render_chat(%s), llm_generate(%s).error.code,"
                        + " llm_generate(%s).error.code",
                    text,
                    String.format(parts, "'text'"),
                    String.format(parts, "'image'"),
                    String.format(parts, "cast(null as string)")))
            .first();
    assertThat(row.getString(0)).contains("river 19").isEqualTo(row.getString(1));
    assertThat(row.getString(2)).isEqualTo("INVALID_PROMPT").isEqualTo(row.getString(3));
  }

  @Test
  void countsTokensAsTheEngineDoes() {
    assertThat(
            spark
                .sql(
                    "select llm_count_tokens(p), llm_generate(p, map('max_tokens',"
                        + " 1)).prompt_tokens, llm_count_tokens(prompt => c), llm_generate(c,"
                        + " map('max_tokens', 1)).prompt_tokens from (select document p, prompt c"
                        + " from documents order by length(document) limit 4)")
                .collectAsList())
        .hasSize(4)
        .allSatisfy(
            row -> {
              assertThat(row.getInt(0)).isPositive().isEqualTo(row.getInt(1));
              assertThat(row.getInt(2)).isPositive().isEqualTo(row.getInt(3));
            });
  }

  @Test
  void laysConversationsOut() {
    Row row =
        spark
            .sql(
                "select llm_render_chat(array(struct('a question' as content, 'user' as role))),"
                    + " llm_count_tokens(''), llm_count_tokens(null), llm_render_chat(null),"
                    + " llm_render_chat(array(struct('user' as role, cast(null as string) as"
                    + " content))), llm_count_tokens(cast(array() as array<struct<role: string,"
                    + " content: string>>)), llm_count_tokens(repeat('a', 600000))")
            .first();
    assertThat(row.getString(0)).contains("a question");
    assertThat(row.getInt(1)).isZero();
    for (int i = 2; i < 7; i++) {
      assertThat(row.isNullAt(i)).as("column " + i).isTrue();
    }
  }

  @Test
  void countsTokensOfLiteralRowsAndInTheDataFrameApi() {
    assertThat(
            spark
                .sql("select * from values ('a b'), ('') v(p)")
                .select(MlaFunctions.llmCountTokens(functions.col("p")))
                .collectAsList())
        .extracting(row -> row.getInt(0) > 0)
        .containsExactly(true, false);
    assertThat(
            spark
                .sql("select array(struct('user' as role, 'hello' as content)) c")
                .select(MlaFunctions.llmRenderChat(functions.col("c")))
                .first()
                .getString(0))
        .contains("hello");
  }

  @Test
  void freesTheCacheAtOnceWhereALimitIsMet() throws Exception {
    spark.conf().set("spark.mla.batch.rows", 1L); // So that the first row need not wait for others.
    try {
      assertThat(
              spark
                  .sql(
                      "select id from (select id,"
                          + " llm_generate(p, map('max_tokens', m)).finish_reason r"
                          + " from (select id, concat('row ', id) p, if(id = 0, 1, 2000) m"
                          + " from range(0, 40, 1, 1))) where r is not null limit 1")
                  .collectAsList())
          .extracting(row -> row.getLong(0))
          .containsExactly(0L);
    } finally {
      spark.conf().unset("spark.mla.batch.rows");
    }
    TextGenerator generator = ExecutorEngine.current().generator();
    // It comes after the cancellations, and the engine frees what is cancelled before a step.
    Batches.submit(
            generator::submit,
            ArrowUtils.rootAllocator(),
            new GenerationRequest(
                new Prompt.Raw("last"),
                Optional.empty(),
                Map.of("max_tokens", "1"),
                OverflowPolicy.ERROR))
        .get();
    EngineStatistics statistics = generator.statistics();
    assertThat(statistics.running()).isZero();
    assertThat(statistics.waiting()).isZero();
    assertThat(statistics.availableBlocks()).isEqualTo(statistics.cacheBlocks());
  }
}
