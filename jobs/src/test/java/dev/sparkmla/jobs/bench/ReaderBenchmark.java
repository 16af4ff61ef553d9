package dev.sparkmla.jobs.bench;

import dev.sparkmla.jobs.input.Documents;
import dev.sparkmla.jobs.input.InputFiles;
import dev.sparkmla.jobs.input.InputFormat;
import dev.sparkmla.jobs.input.ReadOptions;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * {@code bin/bench reader}: what reading JSON lines costs in {@code local[2]}, from the first
 * reading, which finds columns and counts rows, to the last row in a sink that drops it; beside it
 * Spark's own JSON source, which infers a schema, counts and reads. Lines have 200 bytes.
 */
public final class ReaderBenchmark {
  private static final int LINE_BYTES = 200;
  private static final int WARM_UPS = 2;
  private static final long SEED = 20_25;

  private record Options(int rows, int runs) {}

  private interface Reading {
    long rows(SparkSession spark, Path file);
  }

  private ReaderBenchmark() {}

  /** Exits with 0 when the table is complete, 2 for bad options. */
  public static void main(String[] arguments) throws IOException {
    Options options = parse(arguments);
    if (options == null) {
      System.err.println(
          "usage: bin/bench reader [--rows N, default 1000000] [--runs N, default 5]");
      System.exit(2);
      return;
    }
    Path file = Files.createTempFile("reader-benchmark-", ".jsonl");
    try (SparkSession spark = session()) {
      write(file, options.rows());
      run(spark, file, options);
    } finally {
      Files.delete(file);
    }
  }

  private static Options parse(String[] arguments) {
    int rows = 1_000_000;
    int runs = 5;
    for (int i = 0; i < arguments.length; i += 2) {
      if (i + 1 == arguments.length || !arguments[i + 1].matches("[1-9][0-9]{0,8}")) {
        return null;
      }
      int value = Integer.parseInt(arguments[i + 1]);
      switch (arguments[i]) {
        case "--rows" -> rows = value;
        case "--runs" -> runs = value;
        default -> {
          return null;
        }
      }
    }
    return new Options(rows, runs);
  }

  private static SparkSession session() {
    return SparkSession.builder()
        .master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate();
  }

  private static void write(Path file, int rows) throws IOException {
    Random random = new Random(SEED);
    try (BufferedWriter out = Files.newBufferedWriter(file)) {
      for (int row = 0; row < rows; row++) {
        String head =
            String.format(
                Locale.ROOT,
                "{\"id\": %d, \"score\": %.4f, \"tags\": [\"a\", \"b\"], \"prompt\": \"",
                row,
                random.nextDouble());
        out.write(
            head + "some words ".repeat(LINE_BYTES).substring(0, LINE_BYTES - 3 - head.length()));
        out.write("\"}\n");
      }
    }
  }

  private static void run(SparkSession spark, Path file, Options options) {
    List<Reading> readings =
        List.of(
            ReaderBenchmark::withSpark,
            (session, path) -> withDocuments(session, path, true),
            (session, path) -> withDocuments(session, path, false));
    List<String> names =
        List.of("Spark's JSON source", "to columns (Parquet out)", "as written (JSON out)");
    List<List<Double>> seconds = new ArrayList<>();
    readings.forEach(reading -> seconds.add(new ArrayList<>()));
    for (int i = -WARM_UPS; i < options.runs(); i++) {
      for (int reading = 0; reading < readings.size(); reading++) {
        long start = System.nanoTime();
        long rows = readings.get(reading).rows(spark, file);
        if (rows != options.rows()) {
          throw new IllegalStateException(names.get(reading) + " read " + rows + " rows");
        }
        if (i >= 0) {
          seconds.get(reading).add((System.nanoTime() - start) / 1e9);
        }
      }
    }
    System.out.printf(
        "%nJava %s, %d processors, heap of at most %d MiB, %s, %d lines of %d bytes.%n%n",
        Runtime.version(),
        Runtime.getRuntime().availableProcessors(),
        Runtime.getRuntime().maxMemory() >> 20,
        LocalDate.now(ZoneOffset.UTC),
        options.rows(),
        LINE_BYTES);
    System.out.println("| reading | best s | median s | median rows/s |");
    System.out.println("|---|---|---|---|");
    for (int reading = 0; reading < readings.size(); reading++) {
      print(names.get(reading), seconds.get(reading), options.rows());
    }
  }

  private static long withDocuments(SparkSession spark, Path file, boolean withColumns) {
    Documents documents =
        Documents.open(
            spark,
            InputFiles.find(file.toString(), new Configuration()),
            InputFormat.JSON,
            new ReadOptions("prompt", false, withColumns, 10_000, Set.of()));
    drop(documents.rows());
    return documents.count();
  }

  private static long withSpark(SparkSession spark, Path file) {
    String broken = "broken";
    DataFrameReader reader = spark.read().option("columnNameOfCorruptRecord", broken);
    StructType schema = reader.json(file.toString()).schema();
    Dataset<Row> rows =
        reader.schema(schema.add(broken, DataTypes.StringType)).json(file.toString());
    long count = rows.selectExpr("count(prompt)").first().getLong(0);
    drop(rows);
    return count;
  }

  private static void drop(Dataset<Row> rows) {
    rows.write().format("noop").mode("overwrite").save();
  }

  private static void print(String name, List<Double> seconds, int rows) {
    List<Double> sorted = new ArrayList<>(seconds);
    Collections.sort(sorted);
    double median = sorted.get(sorted.size() / 2);
    System.out.printf(
        Locale.ROOT, "| %s | %.2f | %.2f | %.0f |%n", name, sorted.get(0), median, rows / median);
  }
}
