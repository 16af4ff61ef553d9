package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.plugin.MlaPlugin;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
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
  }
}
