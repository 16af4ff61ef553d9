package dev.sparkmla.jobs.output;

import dev.sparkmla.jobs.input.InputFiles;
import dev.sparkmla.jobs.input.NumberedRows;
import dev.sparkmla.jobs.input.RemainingRows;
import dev.sparkmla.jobs.input.RowRange;
import dev.sparkmla.plugin.location.ModelFingerprint;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * What a job writes. Until all rows are there, they are in slices, beside a record of what they
 * were generated with; then they are delivered to their destination. What was there stays until
 * then. Closing deletes a folder of slices that holds no row; one that does is what the job is
 * resumed from. For one thread.
 */
public final class Output implements AutoCloseable {
  private final Destination destination;
  private final SliceFolder slices;
  private final boolean overwrite;
  private final List<InputFiles.Listed> files;
  private final Map<String, String> settings;
  private final Optional<JobRecord> earlier;
  private final boolean reopened;
  private boolean finished;

  /** 0 until {@link #begin}. */
  private int run;

  private long rows;

  /** NULL until {@link #begin}. */
  private StructType columns;

  /**
   * What may be done with an output that is there.
   *
   * @param overwrite a finished one may be replaced
   * @param resume an unfinished one is gone on with, and a finished one with files of the input
   *     that are new
   * @param force an unfinished one may be deleted
   */
  public record Existing(boolean overwrite, boolean resume, boolean force) {}

  private Output(
      Destination destination,
      List<InputFiles.Listed> files,
      Map<String, String> settings,
      Existing existing)
      throws IOException {
    this.destination = destination;
    this.settings = settings;
    slices = destination.slices();
    overwrite = existing.overwrite();
    slices.refuseOthers();
    destination.settle();
    long kept = slices.undeliveredRows();
    if (kept > 0 && !existing.resume() && !existing.force()) {
      throw new OutputException(
          "the output "
              + destination
              + " is unfinished: a job that ended early has left "
              + kept
              + " rows in "
              + slices.path()
              + "; go on with --resume, or "
              + destination.howToStartOver(false));
    }
    boolean resumes = kept > 0 && !existing.force();
    Optional<SliceFolder> there =
        !resumes && existing.resume() && !overwrite ? destination.finished() : Optional.empty();
    reopened = there.isPresent();
    if (!reopened) {
      destination.protect(overwrite, resumes);
    }
    SliceFolder before = there.orElse(slices);
    earlier = resumes || reopened ? Optional.of(before.runs().last()) : Optional.empty();
    // Slices are the same however the rows are laid out in the end.
    Set<String> free = resumes ? Set.of(PartitionColumns.OPTION) : Set.of();
    if (earlier.isPresent()) {
      refuse(earlier.get().differences(settings, free, files));
    }
    this.files = earlier.map(record -> record.inOrder(files)).orElse(files);
    rows = earlier.map(JobRecord::rows).orElse(0L);
    finished = reopened && !hasNewFiles() && destination.isWhole(rows);
    if (!finished) {
      prepare(resumes);
    }
  }

  /**
   * Opens an output to write to, and sees that its slices can be written.
   *
   * @param settings what decides on a row's results, by the names that a person knows
   * @throws OutputException when something is there that may not be replaced, or was generated with
   *     other settings or files; the place is or holds a file of the input; or nothing can be
   *     written
   */
  public static Output open(
      Destination destination, Existing existing, Map<String, String> settings, InputFiles input) {
    try {
      for (OutputPlace written : destination.places()) {
        if (written.holds(input)) {
          throw new OutputException(
              "the job would write to "
                  + written.path()
                  + ", which is or holds the input "
                  + input
                  + "; write elsewhere");
        }
      }
      return new Output(destination, input.listed(), settings, existing);
    } catch (IOException problem) {
      throw destination.cannotBeWritten(problem);
    }
  }

  private void prepare(boolean resumes) throws IOException {
    if (reopened) {
      destination.reopen();
    } else if (!resumes) {
      slices.delete();
    }
    slices.prepare();
  }

  private boolean hasNewFiles() {
    return files.size() > earlier.orElseThrow().files().size();
  }

  /** Whether all rows are there already and nothing is to be done. */
  public boolean isFinished() {
    return finished;
  }

  /**
   * Sees that the rows of a finished output are still there.
   *
   * @param sessions starts a session, where a catalog has to be asked; it is closed here
   * @throws OutputException when they are not
   */
  public void requireRows(Supplier<SparkSession> sessions) {
    try {
      destination.requireRows(sessions);
    } catch (IOException problem) {
      throw new OutputException(
          "the output " + destination + " cannot be read: " + problem.getMessage(), problem);
    }
  }

  /** What a person does to generate all rows anew. */
  public String howToStartOver() {
    try {
      return destination.howToStartOver(finished);
    } catch (IOException problem) {
      throw destination.cannotBeWritten(problem);
    }
  }

  /** The input's files as a person writes them, in the order of the rows' numbers. */
  public List<String> files() {
    return files.stream().map(InputFiles.Listed::name).toList();
  }

  /**
   * Repeats a delivery of which an earlier run did not see the end, if there is one. The output may
   * be {@linkplain #isFinished finished} by that.
   */
  public void repeatDelivery(SparkSession spark) {
    try {
      boolean repeated = destination.repeatDelivery(spark);
      finished = repeated && !hasNewFiles() && destination.isWhole(rows);
    } catch (IOException problem) {
      throw destination.cannotBeWritten(problem);
    }
  }

  /**
   * Says what the rows are generated with, and sees that the destination can take them. From now on
   * another run that is not at its end has lost the output.
   *
   * @param output whose columns are the output's, and {@link NumberedRows#NUMBER}
   * @throws OutputException when the slices that are there were generated with something else, or
   *     the destination cannot take such columns
   */
  public void begin(
      NumberedRows numbered, Dataset<Row> output, OutputFormat format, ModelFingerprint used) {
    columns = output.drop(NumberedRows.NUMBER).schema().asNullable();
    Map<String, Long> counts = numbered.rowsOfFiles();
    JobRecord record =
        new JobRecord(
            settings,
            used.files(),
            files.stream()
                .map(
                    file ->
                        new JobRecord.InputFile(
                            file.name(), file.size(), file.modified(), counts.get(file.name())))
                .toList(),
            format == OutputFormat.JSON ? List.of() : described(columns));
    rows = numbered.count();
    try {
      if (earlier.isPresent()) {
        refuse(earlier.get().differences(record));
      }
      run = slices.runs().add(record);
      destination.check(output.sparkSession(), columns);
    } catch (IOException problem) {
      throw destination.cannotBeWritten(problem);
    }
  }

  private static List<String> described(StructType columns) {
    return Arrays.stream(columns.fields())
        .map(field -> field.name() + " " + field.dataType().sql())
        .toList();
  }

  /** How many rows there are to be, or are where it is finished. */
  public long rows() {
    return rows;
  }

  /** How many rows are committed, delivered or not. */
  public long committedRows() {
    try {
      return slices.committedRows();
    } catch (IOException problem) {
      throw destination.cannotBeWritten(problem);
    }
  }

  /** How many rows are committed and not delivered yet. */
  public long undeliveredRows() {
    try {
      return slices.undeliveredRows();
    } catch (IOException problem) {
      throw destination.cannotBeWritten(problem);
    }
  }

  /** The rows that are not committed yet, after {@link #begin}. */
  public List<RowRange> remaining() {
    return rows == 0 ? List.of() : retries().of(new RowRange(0, rows));
  }

  /** What a task does that is tried again. */
  public RemainingRows retries() {
    try {
      return slices.retries();
    } catch (IOException problem) {
      throw destination.cannotBeWritten(problem);
    }
  }

  /**
   * Writes rows in slices; this is where Spark generates.
   *
   * @param generated the output's columns and, as the last one, {@link NumberedRows#NUMBER}
   */
  public void write(Dataset<Row> generated, OutputFormat format, SliceLimits limits) {
    try {
      slices.write(generated, format, run, limits);
    } catch (IOException problem) {
      throw destination.cannotBeWritten(problem);
    }
  }

  /** Where slices are until they are delivered. */
  public String unfinished() {
    return slices.path().toString();
  }

  /** The files of committed slices that are not delivered yet. */
  public List<String> undelivered() {
    try {
      return slices.files(slices.undelivered());
    } catch (IOException problem) {
      throw destination.cannotBeWritten(problem);
    }
  }

  /** Those that this run has committed. */
  public List<String> ofThisRun() {
    try {
      return slices.files(
          slices.undelivered().stream().filter(slice -> slice.run() == run).toList());
    } catch (IOException problem) {
      throw destination.cannotBeWritten(problem);
    }
  }

  /** Deletes slices that hold rows of others. */
  public void dropRepeated() {
    try {
      slices.dropOthers();
    } catch (IOException problem) {
      throw destination.cannotBeWritten(problem);
    }
  }

  /**
   * Delivers the rows of all slices.
   *
   * @throws OutputException when they cannot be delivered, and what was there is there again; or
   *     when another run has begun since
   */
  public void deliver(SparkSession spark) {
    try {
      if (slices.runs().lastRun() != run) {
        throw new OutputException(
            "another run has taken over " + slices.path() + " since this one began; let one end");
      }
      destination.deliver(spark, columns, overwrite);
    } catch (IOException problem) {
      throw new OutputException(
          "the output " + destination + " cannot be put in its place: " + problem.getMessage(),
          problem);
    }
  }

  /** Says what is kept of an output that was begun and did not become whole, if anything is. */
  public Optional<String> kept() {
    try {
      return run == 0 || slices.undeliveredRows() == 0
          ? Optional.empty()
          : Optional.of(
              "what was generated is kept in "
                  + slices.path()
                  + "; the same command with --resume goes on from there");
    } catch (IOException unknown) {
      return Optional.empty();
    }
  }

  @Override
  public void close() {
    try {
      if (finished || !slices.exists()) {
        return;
      }
      if (slices.committed().isEmpty()) {
        slices.delete();
      } else if (reopened && ofThisRun().isEmpty()) {
        destination.putBack();
      }
    } catch (IOException | OutputException problem) {
      // Its name says what it is, and the next run deletes it or goes on with it.
    }
  }

  /** The destination as a person calls it. */
  @Override
  public String toString() {
    return destination.toString();
  }

  private void refuse(List<String> differences) throws IOException {
    if (!differences.isEmpty()) {
      throw new OutputException(
          "the output "
              + destination
              + " cannot be resumed with what differs from its beginning: "
              + String.join("; ", differences)
              + "; give what differs as it was, or "
              + destination.howToStartOver(reopened));
    }
  }
}
