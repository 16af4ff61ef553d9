package dev.sparkmla.jobs.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** More keys than may become columns. */
class JsonDocumentsTest {
  private static final int MOST_COLUMNS = 3;

  private static SparkSession spark;

  @TempDir Path folder;

  @BeforeAll
  static void start() {
    spark =
        SparkSession.builder().master("local[2]").config("spark.ui.enabled", false).getOrCreate();
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private Documents open(String lines) throws IOException {
    Path file = Files.writeString(folder.resolve("in.jsonl"), lines);
    return Documents.open(
        spark,
        InputFiles.find(file.toString(), new Configuration(false)),
        InputFormat.JSON,
        new ReadOptions("prompt", false, true, MOST_COLUMNS, Set.of("prompt", "id")));
  }

  @Test
  void theFirstKeysAndThoseAskedForAreColumnsAndTheOthersOneOfJson() throws IOException {
    Documents documents =
        open(
            """
            {"a": 1, "b": 2, "c": 3}
            {"d": "é \\ud800", "ID": 7, "e" : [1.10, {}], "prompt": "p", "a": 5}
            {"prompt": "q", "f": null}
            {"prompt": "r", "f": 1, "F": 2}
            """);

    assertThat(documents.carried()).containsExactly("a", "b", "c", "ID", "prompt", "other_keys");
    List<Row> rows =
        documents
            .rows()
            .select("a", "ID", "prompt", "other_keys", Documents.REFUSAL)
            .collectAsList();
    assertThat(rows)
        .extracting(row -> row.get(0), row -> row.get(1), row -> row.get(2), row -> row.get(3))
        .containsExactlyInAnyOrder(
            tuple(1L, null, null, null),
            tuple(5L, 7L, "p", "{\"d\": \"é \\ud800\", \"e\" : [1.10, {}]}"),
            tuple(null, null, "q", "{\"f\": null}"),
            tuple(null, null, null, null));
    assertThat(rows)
        .filteredOn(row -> !row.isNullAt(4))
        .singleElement()
        .satisfies(row -> assertThat(row.getStruct(4).getString(1)).contains("the key F is there"));
  }

  @Test
  void aKeyThatCannotNameAColumnIsAmongTheOthers() throws IOException {
    Documents documents =
        open(
            """
            {"prompt": "p", "": {"": 1}, "a": {"": 2}}
            {"prompt": "q", "__Spark_MLA_text": 3}
            {"prompt": "r", "": 1, "": 2}
            """);

    assertThat(documents.carried()).containsExactly("prompt", "a", "other_keys");
    List<Row> rows =
        documents.rows().select("prompt", "a", "other_keys", Documents.REFUSAL).collectAsList();
    assertThat(rows)
        .extracting(row -> row.get(0), row -> row.get(1), row -> row.get(2))
        .containsExactlyInAnyOrder(
            tuple("p", "{\"\": 2}", "{\"\": {\"\": 1}}"),
            tuple("q", null, "{\"__Spark_MLA_text\": 3}"),
            tuple(null, null, null));
    assertThat(rows)
        .filteredOn(row -> !row.isNullAt(3))
        .singleElement()
        .satisfies(
            row ->
                assertThat(row.getStruct(3).getString(1)).contains("an empty key is there twice"));
  }

  @Test
  void theColumnOfOtherKeysHasANameOfItsOwn() throws IOException {
    Documents documents = open("{\"other_keys\": 1, \"b\": 2, \"prompt\": \"p\", \"d\": 4}\n");

    assertThat(documents.carried()).containsExactly("other_keys", "b", "prompt", "_other_keys");
    assertThat(documents.rows().select("_other_keys").first().getString(0)).isEqualTo("{\"d\": 4}");
  }
}
