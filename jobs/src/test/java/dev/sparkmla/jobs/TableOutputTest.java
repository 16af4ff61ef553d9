package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.jobs.output.TableFormat;
import dev.sparkmla.jobs.output.TableSession;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.commons.io.FileUtils;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The job writes to tables of Delta Lake and of Iceberg. */
class TableOutputTest {
  @TempDir Path folder;

  private FaultyJob job;

  @BeforeEach
  void make() throws IOException {
    job = new FaultyJob(folder);
  }

  /** A job that fails, goes on, is repeated and gets new files: rows as in a folder, each once. */
  @ParameterizedTest
  @EnumSource
  void aTableHasWhatAFolderHas(TableFormat format) throws IOException {
    String table = TableSession.name(format, folder, "answers");
    String[] making = {"--resume", "--table-format", format.toString(), "--partition-by", "kind"};
    job.writeInput("a.jsonl", 0, 40);
    JobRun failed = toTable(table, with(making, "--conf", FaultyPlugin.AFTER + "=6"));
    long before = count(table);
    JobRun finished = toTable(table, making);
    int asked = FaultyPlugin.ASKED.size();
    JobRun repeated = toTable(table, making);
    JobRun again = toTable(table);
    job.writeInput("b.jsonl", 40, 47);
    JobRun grown = toTable(table, making);
    int askedForNew = FaultyPlugin.ASKED.size() - asked;
    JobRun inFolder = job.toFolder();

    assertThat(failed.code()).isEqualTo(1);
    assertThat(failed.err()).contains("is kept in ").contains(folder + "/checkpoint");
    assertThat(before).isZero();
    assertThat(finished.code()).as(finished.err()).isZero();
    assertThat(finished.out()).contains("wrote " + table).contains("40, ").contains("earlier");
    assertThat(repeated.code()).as(repeated.err()).isZero();
    assertThat(repeated.out()).contains(table + " is finished already: 40 rows");
    assertThat(again.code()).isEqualTo(1);
    assertThat(again.err()).contains("are in the table " + table + " already");
    assertThat(grown.code()).as(grown.err()).isZero();
    assertThat(grown.out()).contains("7, none in error");
    assertThat(askedForNew).isEqualTo(7);
    assertThat(inFolder.code()).as(inFolder.err()).isZero();
    try (TableSession session = new TableSession(folder)) {
      Dataset<Row> expected = session.spark().read().parquet(job.output().toString());
      Dataset<Row> found = session.spark().table(table);
      assertThat(found.columns()).containsExactly(expected.columns());
      assertThat(found.orderBy("id").collectAsList())
          .isEqualTo(expected.orderBy("id").collectAsList())
          .hasSize(47);
      assertThat(session.transactions(format, table)).isEqualTo(2);
      session.spark().sql("DROP TABLE " + table);
      FileUtils.deleteDirectory(folder.resolve("answers").toFile());
    }
    JobRun dropped = toTable(table, making);
    assertThat(dropped.code()).isEqualTo(1);
    assertThat(dropped.err())
        .contains("the table " + table)
        .contains("is not there any more")
        .doesNotContain("loading");
  }

  /** For which there can be no columns, and in Iceberg no fields of structs either. */
  @ParameterizedTest
  @EnumSource
  void takesRowsWithEmptyKeys(TableFormat format) throws IOException {
    String table = TableSession.name(format, folder, "answers");
    Files.writeString(
        job.input().resolve("a.jsonl"), "{\"prompt\": \"x\", \"\": 1, \"in\": {\"\": 2}}\n");

    JobRun run = toTable(table, "--table-format", format.toString());

    assertThat(run.code()).as(run.err()).isZero();
    try (TableSession session = new TableSession(folder)) {
      assertThat(session.spark().table(table).select("in", "other_keys").collectAsList())
          .containsExactly(RowFactory.create("{\"\": 2}", "{\"\": 1}"));
    }
  }

  /** Also those of partitions that the new rows do not have, whatever the session says of these. */
  @Test
  void replacesTheRowsOfATableWhereAsked() throws IOException {
    String table = TableSession.name(TableFormat.DELTA, folder, "replaced");
    job.writeInput("a.jsonl", 0, 9);
    JobRun before = toTable(table, "--table-format", "delta", "--partition-by", "kind");
    assertThat(before.code()).as(before.err()).isZero();
    Files.delete(job.input().resolve("a.jsonl"));
    job.writeInput("b.jsonl", 20, 21);

    JobRun run =
        toTable(table, "--overwrite", "--conf", "spark.sql.sources.partitionOverwriteMode=dynamic");

    assertThat(run.code()).as(run.err()).isZero();
    assertThat(count(table)).isEqualTo(1);

    JobRun ofTable = job.toFolder(folder.resolve("replaced"));
    assertThat(ofTable.code()).isEqualTo(1);
    assertThat(ofTable.err()).contains("is the folder of a Delta table");
  }

  @Test
  void refusesATableBeforeAnythingIsGenerated() throws IOException {
    job.writeInput("a.jsonl", 0, 3);
    String table = TableSession.name(TableFormat.DELTA, folder, "answers");
    try (TableSession session = new TableSession(folder)) {
      session.spark().sql("CREATE TABLE " + table + " (id BIGINT, prompt STRING) USING delta");
    }

    JobRun columns = toTable(table);
    JobRun missing = toTable("ice.db.none");
    JobRun withoutSettings =
        job.run(
            "--output-table",
            "spark_catalog.default.none",
            "--table-format",
            "delta",
            "--checkpoint",
            folder.resolve("checkpoint").toString());

    assertThat(columns.err()).contains("has no column kind, which the output has");
    assertThat(missing.err()).contains("there is no table ice.db.none; --table-format");
    assertThat(withoutSettings.err())
        .contains("--conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension");
    assertThat(List.of(columns, missing, withoutSettings))
        .allSatisfy(run -> assertThat(run.code()).isEqualTo(1))
        .allSatisfy(run -> assertThat(run.err().strip().lines().count()).isLessThanOrEqualTo(3));
    assertThat(FaultyPlugin.ASKED).isEmpty();
    assertThat(folder.resolve("checkpoint")).doesNotExist();
  }

  private JobRun toTable(String table, String... more) {
    String[] place = {
      "--output-table", table, "--checkpoint", folder.resolve("checkpoint").toString()
    };
    return job.run(
        Stream.of(Arrays.stream(place), Arrays.stream(more), TableSession.options(folder))
            .flatMap(options -> options)
            .toArray(String[]::new));
  }

  private static String[] with(String[] options, String... more) {
    return Stream.concat(Arrays.stream(options), Arrays.stream(more)).toArray(String[]::new);
  }

  private long count(String table) {
    try (TableSession session = new TableSession(folder)) {
      return session.spark().table(table).count();
    }
  }
}
