package dev.sparkmla.jobs.output;

import static org.apache.spark.sql.functions.array;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.element_at;
import static org.apache.spark.sql.functions.lit;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.jobs.input.NumberedRows;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PartitionedFolderTest {
  /** Values that are no names of folders as they stand. */
  private static final Column[] VALUES = {
    lit("even"), lit("a/b=c:%41"), lit("ä \n'\""), lit("").cast("string"), lit(null).cast("string")
  };

  @TempDir Path folder;

  /** Whichever step of the last one a run is killed after, the next run has all rows once. */
  @Test
  void hasAllRowsOnceWhereverTheLastStepEnds() throws IOException {
    try (SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .getOrCreate()) {
      Dataset<Row> rows =
          spark
              .range(0, 30, 1, 2)
              .select(
                  col("id"),
                  element_at(array(VALUES), col("id").mod(VALUES.length).cast("int").plus(1))
                      .as("kind"),
                  col("id").as("_metadata"), // As Spark calls what it knows of a file.
                  col("id").as(NumberedRows.NUMBER));
      StructType columns = rows.drop(NumberedRows.NUMBER).schema().asNullable();
      saysWhatNoFolderCanBeNamed(spark, rows.limit(1), columns);
      Path unfinished = folder.resolve("out-unfinished");
      Path partitioned = unfinished.resolve("_spark_mla").resolve("partitioned");
      PartitionedFolder killed = destination();
      killed.slices().prepare();
      killed.slices().runs().add(new JobRecord(Map.of(), Map.of(), List.of(), List.of()));
      killed.slices().write(rows, OutputFormat.PARQUET, 1, new SliceLimits(4, Duration.ofHours(1)));
      Path cutOff =
          Files.createDirectories(partitioned.resolve("of-a-killed-run").resolve("kind=7"));
      Files.writeString(cutOff.resolve("part-0.parquet"), "cut off");

      PartitionedFolder next = destination();
      next.settle();
      assertThat(next.slices().undeliveredRows()).isEqualTo(30);
      next.deliver(spark, columns, false);

      assertThat(unfinished).doesNotExist();
      assertThat(folder.resolve("out/kind=7")).doesNotExist();
      assertThat(
              spark.read().parquet(folder.resolve("out").toString()).orderBy("id").collectAsList())
          .extracting(row -> row.getLong(0))
          .containsExactlyElementsOf(
              rows.orderBy("id").collectAsList().stream().map(row -> row.getLong(0)).toList());

      // As if it had been killed before it deleted the slices.
      Files.createDirectories(partitioned.getParent());
      Files.createFile(partitioned.resolveSibling("partitioned-is-whole"));
      Files.createFile(unfinished.resolve("part-000000000000-000000000004-run1-1.parquet"));
      PartitionedFolder last = destination();
      last.settle();

      assertThat(unfinished).doesNotExist();
      assertThat(last.finished()).isPresent();
      last.requireRows(() -> spark);
      FileUtils.deleteDirectory(folder.resolve("out/kind=even").toFile());
      assertThatThrownBy(() -> last.requireRows(() -> spark))
          .isInstanceOf(OutputException.class)
          .hasMessageContaining("the output out lacks ")
          .hasMessageContaining("among them kind=even/part-")
          .hasMessageContaining("--overwrite");
    }
  }

  /** The rows stay, and other columns may take them. */
  private void saysWhatNoFolderCanBeNamed(SparkSession spark, Dataset<Row> rows, StructType columns)
      throws IOException {
    PartitionedFolder failing = destination("long", "kind");
    failing.slices().prepare();
    failing.slices().runs().add(new JobRecord(Map.of(), Map.of(), List.of(), List.of()));
    failing
        .slices()
        .write(
            rows.withColumn("kind", lit("x".repeat(300))),
            OutputFormat.PARQUET,
            1,
            new SliceLimits(4, Duration.ofHours(1)));

    assertThatThrownBy(() -> failing.deliver(spark, columns, false))
        .isInstanceOf(OutputException.class)
        .hasMessageContaining("the rows cannot be written to folders by kind: ")
        .hasMessageContaining("kind=xxx")
        .hasMessageContaining("--resume may have other columns");
    destination("long", "id").deliver(spark, columns, false);

    assertThat(folder.resolve("long/id=0")).isNotEmptyDirectory();
  }

  private PartitionedFolder destination() throws IOException {
    return destination("out", "kind");
  }

  private PartitionedFolder destination(String name, String partitionBy) throws IOException {
    return new PartitionedFolder(
        name,
        OutputPlace.of(folder.resolve(name).toString(), new Configuration()),
        new PartitionColumns(List.of(partitionBy)));
  }
}
