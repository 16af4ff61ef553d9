package dev.sparkmla.jobs.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.zip.GZIPOutputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NumberedRowsTest {
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

  /**
   * However the files are cut into partitions, a number is the same row's, and ranges that cover
   * all rows read each of them once, in order.
   */
  @ParameterizedTest
  @CsvSource({
    "jsonl, 50, 1",
    "jsonl, 1000, 2",
    "jsonl.gz, 50, 3",
    "csv, 60, 4",
    "txt, 37, 5",
    "parquet, 400, 6"
  })
  void aNumberIsTheSameRowsHoweverTheInputIsRead(String kind, int blockBytes, long seed)
      throws IOException {
    Random random = new Random(seed);
    List<String> prompts = write(kind, random);
    InputFiles files = InputFiles.find(folder.resolve("in").toString(), new Configuration());
    spark.conf().set("spark.sql.files.maxPartitionBytes", blockBytes);
    Documents documents =
        Documents.open(
            spark,
            files,
            files.format(java.util.Optional.empty()),
            new ReadOptions("prompt", false, true, 10, Set.of()));
    NumberedRows numbered =
        new NumberedRows(documents, files.listed().stream().map(InputFiles.Listed::name).toList());
    List<RowRange> tasks = numbered.divide(cut(prompts.size(), random), 1 + random.nextInt(4));

    List<Row> read =
        numbered
            .read(spark, tasks, range -> List.of(range))
            .select("prompt", NumberedRows.NUMBER)
            .collectAsList();

    assertThat(numbered.count()).isEqualTo(prompts.size());
    assertThat(numbered.rowsOfFiles().values().stream().mapToLong(Long::longValue).sum())
        .isEqualTo(prompts.size());
    assertThat(read).extracting(row -> row.getString(0)).as("seed %d", seed).isEqualTo(prompts);
    for (int i = 0; i < read.size(); i++) {
      assertThat(read.get(i).getLong(1)).isEqualTo(i);
    }
  }

  /** Neighbouring ranges, as a run leaves them that was cut off. */
  private static List<RowRange> cut(int rows, Random random) {
    List<RowRange> ranges = new ArrayList<>();
    for (int first = 0; first < rows; ) {
      int end = Math.min(rows, first + 1 + random.nextInt(rows));
      ranges.add(new RowRange(first, end));
      first = end;
    }
    return ranges;
  }

  /** Returns the prompts in the order of their numbers. */
  private List<String> write(String kind, Random random) throws IOException {
    Path in = Files.createDirectories(folder.resolve("in"));
    List<String> all = new ArrayList<>();
    for (int file = 0; file < 4; file++) {
      List<String> prompts = new ArrayList<>();
      for (int row = random.nextInt(3); row < 1 + random.nextInt(60); row++) {
        prompts.add("prompt " + random.nextInt(9) + "x".repeat(random.nextInt(30)));
      }
      Path path = in.resolve("part" + file + "." + kind);
      if (kind.equals("parquet")) {
        writeParquet(path, prompts);
      } else {
        byte[] text = text(kind, prompts).getBytes(StandardCharsets.UTF_8);
        try (OutputStream out = Files.newOutputStream(path);
            OutputStream packed = kind.endsWith("gz") ? new GZIPOutputStream(out) : out) {
          packed.write(text);
        }
      }
      all.addAll(prompts);
    }
    return all;
  }

  private static String text(String kind, List<String> prompts) {
    StringBuilder text = new StringBuilder(kind.equals("csv") ? "prompt\n" : "");
    for (String prompt : prompts) {
      text.append(kind.startsWith("json") ? "{\"prompt\": \"" + prompt + "\"}" : prompt)
          .append('\n');
    }
    return text.toString();
  }

  private void writeParquet(Path file, List<String> prompts) throws IOException {
    Path written = folder.resolve("written-" + file.getFileName());
    spark
        .createDataset(prompts, org.apache.spark.sql.Encoders.STRING())
        .toDF("prompt")
        .coalesce(1)
        .write()
        .option("parquet.block.size", 256)
        .option("parquet.page.row.count.limit", 4)
        .parquet(written.toString());
    try (var parts = Files.list(written)) {
      Files.move(
          parts.filter(part -> part.toString().endsWith(".parquet")).findFirst().orElseThrow(),
          file);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 4, 1",
    "3, 4, 3",
    "100, 4, 4",
    "8192, 4, 4",
    "8193, 4, 5",
    "2000000, 64, 64",
    "2000000, 2, 64"
  })
  void makesATaskForEverySlotAndNoMoreThanTheEngineNeeds(int rows, int slots, int tasks) {
    Documents documents =
        new Documents(
            spark.emptyDataFrame(),
            List.of(),
            List.of(),
            false,
            "prompt",
            List.of(new RowBlock("a", 0, 0, 0, rows)));

    List<RowRange> divided =
        new NumberedRows(documents, List.of("a")).divide(List.of(new RowRange(0, rows)), slots);

    assertThat(divided).hasSize(tasks);
  }

  @org.junit.jupiter.api.Test
  void saysWhichFileHasLostRows() throws IOException {
    Path in = Files.createDirectories(folder.resolve("in"));
    Path file = Files.writeString(in.resolve("a.txt"), "one\ntwo\nthree\n");
    InputFiles files = InputFiles.find(file.toString(), new Configuration());
    Documents documents =
        Documents.open(
            spark, files, InputFormat.TEXT, new ReadOptions("prompt", false, true, 10, Set.of()));
    NumberedRows numbered = new NumberedRows(documents, List.of(file.toString()));
    Files.writeString(file, "one\n\n\n\n\n\n\n\n".substring(0, 4));

    assertThatThrownBy(
            () ->
                numbered
                    .read(spark, List.of(new RowRange(1, 3)), range -> List.of(range))
                    .collectAsList())
        .hasStackTraceContaining("a.txt has fewer rows than it had as the job began");
  }
}
