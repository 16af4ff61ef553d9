package dev.sparkmla.jobs;

import dev.sparkmla.jobs.input.Documents;
import dev.sparkmla.jobs.input.NumberedRows;
import dev.sparkmla.jobs.input.RowRange;
import dev.sparkmla.jobs.output.Output;
import dev.sparkmla.jobs.output.OutputFormat;
import dev.sparkmla.jobs.output.SliceLimits;
import dev.sparkmla.metrics.RunProgress;
import dev.sparkmla.plugin.ApplicationModel;
import dev.sparkmla.plugin.location.ModelFingerprint;
import dev.sparkmla.sql.LlmOptions;
import java.time.Duration;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Generates what an output lacks of an input's rows.
 *
 * @param documents the input
 * @param numbered its rows
 * @param call how they are generated
 * @param results what their columns are
 * @param output where they are written
 */
record GenerationRun(
    SparkSession spark,
    Documents documents,
    NumberedRows numbered,
    LlmOptions call,
    Results results,
    OutputFormat format,
    Output output) {

  /**
   * Generates and commits slices until all rows are there.
   *
   * @param status gets the progress
   * @return what the slices hold
   */
  Summary run(SliceLimits limits, StatusLine status) {
    String name = output.toString();
    describe("Ask an executor for its model");
    output.begin(numbered, generated(List.of()), format, modelOfExecutors());
    long earlier = output.committedRows();
    long start = System.nanoTime();
    try (Progress progress = new Progress(spark.sparkContext(), name, earlier, numbered.count())) {
      status.show(() -> progress.line().toString());
      describe("Generate " + name);
      write(limits);
    }
    describe("Count the rows of " + name);
    Duration time = Duration.ofNanos(System.nanoTime() - start);
    output.dropRepeated();
    long rows = output.undeliveredRows();
    Summary summary = summary(output.undelivered(), time);
    if (summary.rows() != rows) {
      throw new JobException(
          "the slices have "
              + summary.rows()
              + " rows, where "
              + rows
              + " were written: a file in "
              + output.unfinished()
              + " is not as it was written; "
              + output.howToStartOver());
    }
    spark
        .sparkContext()
        .listenerBus()
        .post(
            new RunProgress(
                name, System.currentTimeMillis(), earlier, numbered.count(), numbered.count()));
    return earlier == 0 ? summary : resumed(summary);
  }

  /** Brings the rows of all slices to where they are to be. */
  void deliver() {
    describe("Deliver " + output);
    output.deliver(spark);
  }

  /** Names the jobs that follow, as Spark's pages show them. */
  private void describe(String jobs) {
    spark.sparkContext().setJobDescription(jobs);
  }

  /** The model that an executor has loaded: the driver may not have its files. */
  private ModelFingerprint modelOfExecutors() {
    return new JavaSparkContext(spark.sparkContext())
        .parallelize(List.of(0), 1)
        .map(any -> ApplicationModel.fingerprint())
        .first();
  }

  /** As a rule in one pass; in another one where attempts of tasks got into each other's way. */
  private void write(SliceLimits limits) {
    List<RowRange> remaining = output.remaining();
    while (!remaining.isEmpty()) {
      int slots = spark.sparkContext().defaultParallelism();
      output.write(generated(numbered.divide(remaining, slots)), format, limits);
      List<RowRange> left = output.remaining();
      if (left.equals(remaining)) {
        throw new JobException(
            "no row was committed to " + output.unfinished() + "; has another job deleted them?");
      }
      remaining = left;
    }
  }

  private Dataset<Row> generated(List<RowRange> tasks) {
    Dataset<Row> rows = numbered.read(spark, tasks, output.retries());
    return Results.written(results.generate(documents, rows, call), format);
  }

  private Summary resumed(Summary whole) {
    Summary ofThisRun = summary(output.ofThisRun(), whole.time());
    return whole.resumed(ofThisRun.rows(), ofThisRun.tokens());
  }

  private Summary summary(List<String> written, Duration time) {
    return Summary.of(results.read(spark, written, format, List.of()), results, time);
  }
}
