package dev.sparkmla.jobs.output;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sparkmla.jobs.input.InputFiles;
import dev.sparkmla.jobs.input.NumberedRows;
import dev.sparkmla.jobs.input.RemainingRows;
import dev.sparkmla.jobs.input.RowRange;
import dev.sparkmla.plugin.location.ModelFingerprint;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;

/**
 * The folder that a job writes. Until all rows are there it stands beside its place, as {@code
 * NAME-unfinished}, with the slices that are committed and a record of what they were generated
 * with; then it takes its place. What was there stays until then. Closing deletes an unfinished
 * folder that holds no row; one that does is what the job is resumed from. For one thread.
 */
public final class OutputFolder implements AutoCloseable {
  private static final String UNFINISHED = "-unfinished";

  /** Readers pass over names that begin with an underscore. */
  private static final String RECORDS = "_spark_mla";

  private static final String UNWRITTEN = "unwritten";
  private static final String SUCCESS = "_SUCCESS";
  private static final Pattern RECORD = Pattern.compile("run-(\\d{6})\\.json");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final String output;
  private final FileSystem system;
  private final Configuration configuration;
  private final Path place;
  private final Path unfinished;
  private final List<InputFiles.Listed> files;
  private final Map<String, String> settings;
  private final Optional<JobRecord> earlier;
  private final boolean finished;
  private final boolean reopened;

  /** 0 until {@link #begin}. */
  private int run;

  private long rows;

  /**
   * What may be done with an output that is there.
   *
   * @param overwrite a finished one may be replaced
   * @param resume an unfinished one is gone on with, and a finished one with files of the input
   *     that are new
   * @param force an unfinished one may be deleted
   */
  public record Existing(boolean overwrite, boolean resume, boolean force) {}

  private OutputFolder(
      String output,
      FileSystem system,
      Configuration configuration,
      Path place,
      List<InputFiles.Listed> files,
      Map<String, String> settings,
      Existing existing)
      throws IOException {
    this.output = output;
    this.system = system;
    this.configuration = configuration;
    this.place = place;
    this.settings = settings;
    unfinished = unfinished(place);
    refuseOthers();
    boolean isUnfinished = system.exists(unfinished) && !slices(unfinished).isEmpty();
    if (isUnfinished && !existing.resume() && !existing.force()) {
      throw new OutputException(
          "the output "
              + output
              + " is unfinished: a job that ended early has left "
              + committedRows()
              + " rows in "
              + unfinished
              + "; go on with --resume, or delete them and start over with --force");
    }
    boolean resumes = isUnfinished && !existing.force();
    reopened =
        !resumes
            && existing.resume()
            && !existing.overwrite()
            && system.exists(new Path(place, SUCCESS))
            && system.exists(new Path(place, RECORDS));
    if (system.exists(place) && !existing.overwrite() && !reopened) {
      throw new OutputException(
          "the output "
              + output
              + " is there already; write elsewhere, or replace it with --overwrite");
    }
    earlier =
        resumes || reopened ? Optional.of(record(resumes ? unfinished : place)) : Optional.empty();
    earlier.ifPresent(record -> refuse(record.differences(settings, files)));
    this.files = earlier.map(record -> record.inOrder(files)).orElse(files);
    rows = earlier.map(JobRecord::rows).orElse(0L);
    finished =
        reopened
            && this.files.size() == earlier.get().files().size()
            && rows(slices(place)) == rows;
    if (!finished) {
      prepare(resumes);
    }
  }

  /**
   * Opens the folder to write to, and sees that it can be written.
   *
   * @param settings what decides on a row's results, by the names that a person knows
   * @throws OutputException when something is there that may not be replaced, or was generated with
   *     other settings or files; the place is or holds a file of the input; or nothing can be
   *     written beside it
   */
  public static OutputFolder open(
      String output,
      Existing existing,
      Map<String, String> settings,
      InputFiles input,
      Configuration configuration) {
    try {
      Path path = new Path(output);
      FileSystem system = InputFiles.fileSystem(path, configuration);
      Path place = OutputPlace.real(system, system.makeQualified(path));
      for (Path written : List.of(place, unfinished(place))) {
        if (OutputPlace.holds(system, written, input, configuration)) {
          throw new OutputException(
              "the output " + output + " is or holds the input " + input + "; write elsewhere");
        }
      }
      return new OutputFolder(
          output, system, configuration, place, input.listed(), settings, existing);
    } catch (IOException | IllegalArgumentException problem) {
      throw new OutputException(
          "the output " + output + " cannot be written: " + problem.getMessage(), problem);
    }
  }

  private static Path unfinished(Path place) {
    return place.suffix(UNFINISHED);
  }

  /** What has the unfinished folder's name and was not made by a job must not be deleted. */
  private void refuseOthers() throws IOException {
    if (system.exists(unfinished)
        && !system.exists(new Path(unfinished, RECORDS))
        && system.listStatus(unfinished).length > 0) {
      throw new OutputException(
          "the job would write to "
              + unfinished
              + ", where something is that no job has written; move that away, or write elsewhere");
    }
  }

  private void prepare(boolean resumes) throws IOException {
    if (reopened) {
      move(place, unfinished);
    } else if (!resumes) {
      system.delete(unfinished, true);
    }
    system.delete(new Path(unfinished, SUCCESS), false);
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

  /** Whether all rows were there already and nothing is to be done. */
  public boolean isFinished() {
    return finished;
  }

  /** The input's files as a person writes them, in the order of the rows' numbers. */
  public List<String> files() {
    return files.stream().map(InputFiles.Listed::name).toList();
  }

  /**
   * Says what the rows are generated with. From now on another run that is not at its end has lost
   * the folder.
   *
   * @param output whose columns are the output's, and {@link NumberedRows#NUMBER}
   * @throws OutputException when the slices that are there were generated with something else
   */
  public void begin(
      NumberedRows numbered, Dataset<Row> output, OutputFormat format, ModelFingerprint used) {
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
            format == OutputFormat.JSON ? List.of() : columns(output));
    earlier.ifPresent(before -> refuse(before.differences(record)));
    rows = numbered.count();
    try {
      int next = lastRun(unfinished) + 1;
      try (OutputStream written = system.create(record(unfinished, next), false)) {
        written.write(JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(record));
      }
      run = next;
    } catch (IOException problem) {
      throw cannotBeWritten(problem);
    }
  }

  private static List<String> columns(Dataset<Row> output) {
    StructType schema = output.drop(NumberedRows.NUMBER).schema();
    return Arrays.stream(schema.fields())
        .map(field -> field.name() + " " + field.dataType().sql())
        .toList();
  }

  /** How many rows there are to be, or are where it is finished. */
  public long rows() {
    return rows;
  }

  /** How many rows are committed. */
  public long committedRows() {
    try {
      return rows(slices(unfinished));
    } catch (IOException problem) {
      throw cannotBeWritten(problem);
    }
  }

  /** The rows that are not committed yet, after {@link #begin}. */
  public List<RowRange> remaining() {
    return rows == 0 ? List.of() : retries().of(new RowRange(0, rows));
  }

  /** What a task does that is tried again. */
  public RemainingRows retries() {
    return new CommittedRows(unfinished, configuration);
  }

  /**
   * Writes rows in slices; this is where Spark generates.
   *
   * @param generated the output's columns and, as the last one, {@link NumberedRows#NUMBER}
   */
  public void write(Dataset<Row> generated, OutputFormat format, SliceLimits limits) {
    try {
      SliceWriter.write(generated, format, unfinished, unwritten(), run, limits);
    } catch (IOException problem) {
      throw cannotBeWritten(problem);
    }
  }

  /** Where the committed slices are for now. */
  public String unfinished() {
    return unfinished.toString();
  }

  /** The files of slices that this run has committed. */
  public List<String> ofThisRun() {
    try {
      return slices(unfinished).stream()
          .filter(slice -> slice.run() == run)
          .map(slice -> new Path(unfinished, slice.name()).toString())
          .toList();
    } catch (IOException problem) {
      throw cannotBeWritten(problem);
    }
  }

  /** Deletes slices that hold rows of others. */
  public void dropRepeated() {
    try {
      dropRepeated(unfinished);
    } catch (IOException problem) {
      throw cannotBeWritten(problem);
    }
  }

  private void dropRepeated(Path folder) throws IOException {
    List<Slice> all = CommittedRows.slices(system, folder);
    all.removeAll(Slice.distinct(all));
    for (Slice repeated : all) {
      system.delete(new Path(folder, repeated.name()), false);
    }
  }

  /**
   * Puts the whole output in its place.
   *
   * @return where that is
   * @throws OutputException when it cannot be put there, and what was there is there again; or when
   *     another run has begun since
   */
  public String commit() {
    try {
      if (lastRun(unfinished) != run) {
        throw new OutputException(
            "another run has taken over " + unfinished + " since this one began; let one end");
      }
      finish();
      Path replaced = place.suffix("-replaced-" + UUID.randomUUID());
      boolean replaces = system.exists(place);
      if (replaces) {
        move(place, replaced);
      }
      try {
        move(unfinished, place);
      } catch (IOException problem) {
        if (replaces) {
          move(replaced, place);
        }
        throw problem;
      }
      if (replaces) {
        system.delete(replaced, true);
      }
      dropRepeated(place); // From now on nobody commits any more, whoever is still at work.
      return place.toString();
    } catch (IOException problem) {
      throw new OutputException(
          "the output " + output + " cannot be put in its place: " + problem.getMessage(), problem);
    }
  }

  private void finish() throws IOException {
    system.delete(unwritten(), true);
    system.create(new Path(unfinished, SUCCESS), true).close();
  }

  /** Says what is kept of an output that was begun and did not become whole, if anything is. */
  public Optional<String> kept() {
    try {
      if (run == 0 || !system.exists(unfinished)) {
        return Optional.empty();
      }
      return slices(unfinished).isEmpty()
          ? Optional.empty()
          : Optional.of(
              "what was generated is kept in "
                  + unfinished
                  + "; the same command with --resume goes on from there");
    } catch (IOException unknown) {
      return Optional.empty();
    }
  }

  @Override
  public void close() {
    try {
      if (finished || !system.exists(unfinished)) {
        return;
      }
      if (slices(unfinished).isEmpty()) {
        system.delete(unfinished, true);
      } else if (reopened && ofThisRun().isEmpty()) {
        finish();
        move(unfinished, place);
      }
    } catch (IOException | OutputException problem) {
      // Its name says what it is, and the next run deletes it or goes on with it.
    }
  }

  private List<Slice> slices(Path folder) throws IOException {
    return Slice.distinct(CommittedRows.slices(system, folder));
  }

  private static long rows(List<Slice> slices) {
    return slices.stream().mapToLong(slice -> slice.rows().rows()).sum();
  }

  private Path unwritten() {
    return new Path(new Path(unfinished, RECORDS), UNWRITTEN);
  }

  private static Path record(Path folder, int run) {
    return new Path(new Path(folder, RECORDS), String.format(Locale.ROOT, "run-%06d.json", run));
  }

  /** The newest record that is whole: a run writes slices after it has written its record. */
  private JobRecord record(Path folder) throws IOException {
    for (int number = lastRun(folder); number > 0; number--) {
      try (FSDataInputStream content = system.open(record(folder, number))) {
        return JSON.readValue(content.readAllBytes(), JobRecord.class);
      } catch (JsonProcessingException cutOff) {
        // The run before it had the same settings.
      }
    }
    throw new OutputException(
        folder
            + " has slices and no record of what they were generated with; delete it, or start"
            + " over with --force");
  }

  private int lastRun(Path folder) throws IOException {
    int last = 0;
    for (FileStatus file : system.listStatus(new Path(folder, RECORDS))) {
      Matcher name = RECORD.matcher(file.getPath().getName());
      if (name.matches()) {
        last = Math.max(last, Integer.parseInt(name.group(1)));
      }
    }
    return last;
  }

  private void refuse(List<String> differences) {
    if (!differences.isEmpty()) {
      throw new OutputException(
          "the output "
              + output
              + " cannot be resumed with what differs from its beginning: "
              + String.join("; ", differences)
              + "; start over with --force for an unfinished output, --overwrite for a finished"
              + " one");
    }
  }

  private OutputException cannotBeWritten(IOException problem) {
    return new OutputException(
        "the output " + output + " cannot be written: " + problem.getMessage(), problem);
  }

  private void move(Path from, Path to) throws IOException {
    if (!system.rename(from, to)) {
      throw new IOException(from + " cannot be renamed to " + to);
    }
  }
}
