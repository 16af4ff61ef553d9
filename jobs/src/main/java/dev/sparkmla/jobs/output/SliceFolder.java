package dev.sparkmla.jobs.output;

import dev.sparkmla.jobs.input.NumberedRows;
import dev.sparkmla.jobs.input.RowRange;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * A folder with the slices that are committed, and beside them, in {@code _spark_mla}, what they
 * were generated with and which of them have been delivered.
 *
 * @param system where the folder is
 * @param configuration of the file system, for tasks
 * @param path of the folder, which need not be there
 */
record SliceFolder(FileSystem system, Configuration configuration, Path path) {
  /** Readers pass over names that begin with an underscore. */
  private static final String RECORDS = "_spark_mla";

  private static final String UNWRITTEN = "unwritten";
  private static final String SUCCESS = "_SUCCESS";

  /** Whether there is anything. */
  boolean exists() throws IOException {
    return system.exists(path);
  }

  /** Whether a job has written it to its end. */
  boolean isFinished() throws IOException {
    return system.exists(success()) && system.exists(records());
  }

  /** What has the folder's name and was not made by a job must not be deleted. */
  void refuseOthers() throws IOException {
    if (exists() && !system.exists(records()) && system.listStatus(path).length > 0) {
      throw new OutputException(
          "the job would write to "
              + path
              + ", where something is that no job has written; move that away, or write elsewhere");
    }
  }

  /** Makes the folder ready for a run, and sees that it can be written. */
  void prepare() throws IOException {
    system.delete(success(), false);
    system.delete(unwritten(), true);
    if (!system.mkdirs(unwritten())) {
      throw new IOException("the folder " + unwritten() + " cannot be made");
    }
    Path probe = new Path(unwritten(), "probe");
    try (OutputStream written = system.create(probe, true)) {
      written.write(0);
    }
    system.delete(probe, false);
  }

  /** Says that the job is at its end. */
  void finish() throws IOException {
    system.delete(unwritten(), true);
    system.create(success(), true).close();
  }

  /** Deletes what jobs have written to it, and the folder unless it holds something else. */
  void delete() throws IOException {
    if (!exists()) {
      return;
    }
    for (Slice slice : CommittedRows.slices(system, path)) {
      system.delete(file(slice), false);
    }
    system.delete(success(), false);
    system.delete(records(), true);
    if (system.listStatus(path).length == 0) {
      system.delete(path, true);
    }
  }

  /** What the runs generate with. */
  RunRecords runs() {
    return new RunRecords(system, records());
  }

  /** What has been delivered. */
  Deliveries deliveries() {
    return new Deliveries(system, records(), unwritten());
  }

  /** Slices of which none has a row of another: delivered ones, and those of the folder. */
  List<Slice> committed() throws IOException {
    return exists() ? Slice.distinct(certain(), CommittedRows.slices(system, path)) : List.of();
  }

  /** How many rows are committed. */
  long committedRows() throws IOException {
    return rows(committed());
  }

  /** The committed slices whose rows have not arrived where they are to be. */
  List<Slice> undelivered() throws IOException {
    Set<Slice> delivered = Set.copyOf(delivered());
    return committed().stream().filter(slice -> !delivered.contains(slice)).toList();
  }

  /** How many rows these slices have. */
  long undeliveredRows() throws IOException {
    return rows(undelivered());
  }

  /** What a task does that is tried again. */
  CommittedRows retries() throws IOException {
    return new CommittedRows(path, certain(), configuration);
  }

  /** Deletes slices that hold rows of others, and those that have been delivered. */
  void dropOthers() throws IOException {
    Set<Slice> kept = Set.copyOf(undelivered());
    for (Slice slice : CommittedRows.slices(system, path)) {
      if (!kept.contains(slice)) {
        system.delete(file(slice), false);
      }
    }
  }

  /**
   * Writes rows in slices; this is where Spark generates.
   *
   * @param generated the output's columns and, as the last one, {@link NumberedRows#NUMBER}
   */
  void write(Dataset<Row> generated, OutputFormat format, int run, SliceLimits limits)
      throws IOException {
    SliceWriter.write(generated, format, path, unwritten(), run, limits);
  }

  /**
   * Reads slices, which are Parquet.
   *
   * @param columns that they have
   */
  Dataset<Row> read(SparkSession spark, List<Slice> slices, StructType columns) {
    return slices.isEmpty()
        ? spark.createDataFrame(List.<Row>of(), columns)
        : spark.read().schema(columns).parquet(files(slices).toArray(String[]::new));
  }

  /** The files of slices. */
  List<String> files(List<Slice> slices) {
    return slices.stream().map(slice -> file(slice).toString()).toList();
  }

  /** A place among the records. */
  Path record(String name) {
    return new Path(records(), name);
  }

  private static long rows(List<Slice> slices) {
    return slices.stream().map(Slice::rows).mapToLong(RowRange::rows).sum();
  }

  /** Slices that stay committed whatever else comes into the folder. */
  private List<Slice> certain() throws IOException {
    List<Slice> certain = new ArrayList<>(delivered());
    Optional<Delivery> open = deliveries().open();
    open.ifPresent(delivery -> certain.addAll(delivery.content()));
    return certain;
  }

  private List<Slice> delivered() throws IOException {
    return deliveries().ended().stream().flatMap(one -> one.content().stream()).toList();
  }

  private Path file(Slice slice) {
    return new Path(path, slice.name());
  }

  private Path success() {
    return new Path(path, SUCCESS);
  }

  private Path records() {
    return new Path(path, RECORDS);
  }

  private Path unwritten() {
    return new Path(records(), UNWRITTEN);
  }
}
