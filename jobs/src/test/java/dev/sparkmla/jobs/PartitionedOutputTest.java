package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The job writes a folder of folders named {@code column=value}. */
class PartitionedOutputTest {
  @TempDir Path folder;

  private FaultyJob job;

  @BeforeEach
  void write() throws IOException {
    job = new FaultyJob(folder);
    job.writeInput("a.jsonl", 0, 40);
  }

  @Test
  void hasTheRowsOfEachValueInTheInputsOrder() throws IOException {
    JobRun failed =
        run("--resume", "--partition-by", "finish_reason", "--conf", FaultyPlugin.AFTER + "=6");
    JobRun finished = run("--resume");
    JobRun repeated = run("--resume");
    JobRun otherwise = run("--resume", "--partition-by", "finish_reason");
    JobRun again = run();
    job.writeInput("b.jsonl", 40, 47);
    JobRun grown = run("--resume");
    List<Row> rows = rows();
    JobRun replaced = run("--overwrite");

    assertThat(failed.code()).isEqualTo(1);
    assertThat(finished.code()).as(finished.err()).isZero();
    assertThat(names(job.output()))
        .contains("kind=even", "kind=odd", "_SUCCESS", "_spark_mla")
        .noneMatch(name -> name.startsWith("part-"));
    assertThat(job.unfinished()).doesNotExist();
    assertThat(repeated.out()).contains("is finished already: 40 rows");
    assertThat(otherwise.err())
        .contains("--partition-by was kind and is kind,finish_reason")
        .contains("replace it with --overwrite");
    assertThat(again.err()).contains("is there already");
    assertThat(grown.code()).isEqualTo(1);
    assertThat(grown.err()).contains("is partitioned and finished").contains("--output-table");
    assertThat(rows).hasSize(40);
    assertThat(
            rows.stream().collect(Collectors.groupingBy(row -> row.<String>getAs("file"))).values())
        .hasSizeGreaterThan(1)
        .allSatisfy(
            file -> {
              assertThat(file).extracting(row -> row.<Long>getAs("id")).isSorted();
              assertThat(file)
                  .extracting(row -> row.<String>getAs("kind"))
                  .containsOnly(file.get(0).<String>getAs("kind"));
            });
    assertThat(rows)
        .allSatisfy(
            row ->
                assertThat(row.<String>getAs("text"))
                    .isEqualTo("<" + row.<String>getAs("prompt") + ">"));
    assertThat(replaced.code()).as(replaced.err()).isZero();
    assertThat(rows()).hasSize(47);
  }

  @Test
  void refusesColumnsThatItCannotBePartitionedBy() {
    JobRun unknown = run("--partition-by", " id");
    JobRun empty = run("--partition-by", "");
    JobRun twice = run("--partition-by", "Kind");

    assertThat(unknown.code()).isEqualTo(1);
    assertThat(unknown.err())
        .contains("cannot be partitioned by ' id', which is no column of it; --partition-by takes")
        .contains("separated by commas without blanks: id, kind, prompt, text")
        .doesNotContain("root");
    assertThat(List.of(empty, twice)).extracting(JobRun::code).containsOnly(2);
    assertThat(empty.err()).contains("--partition-by 'kind,' has a name that is empty");
    assertThat(twice.err()).contains("--partition-by 'kind,Kind' has a name that is");
    assertThat(job.unfinished()).doesNotExist();
  }

  private JobRun run(String... options) {
    return job.toFolder(
        Stream.concat(Stream.of("--partition-by", "kind"), Stream.of(options))
            .toArray(String[]::new));
  }

  /** All rows, those of a file in its order. */
  private List<Row> rows() throws IOException {
    try (SparkSession spark =
        SparkSession.builder()
            .master("local[1]")
            .config("spark.ui.enabled", "false")
            .getOrCreate()) {
      return spark
          .read()
          .parquet(job.output().toString())
          .select(functions.col("*"), functions.col("_metadata.file_path").as("file"))
          .collectAsList();
    }
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }
}
