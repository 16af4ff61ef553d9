package dev.sparkmla.jobs.output;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * Where an output's rows are to be in the end, what is there already, and the last step of a job,
 * which brings the rows of all slices there.
 */
public abstract sealed class Destination permits FolderDestination, TableDestination {
  private final String name;
  private final SliceFolder slices;

  Destination(String name, SliceFolder slices) {
    this.name = name;
    this.slices = slices;
  }

  /**
   * A folder.
   *
   * @param path of it; it is written beside its place, as {@code NAME-unfinished}
   * @param partitionBy columns that make folders named {@code column=value}; none for a folder of
   *     slices
   * @throws OutputException when there can be no such folder
   */
  public static Destination folder(
      String path, List<String> partitionBy, Configuration configuration) {
    try {
      OutputPlace place = OutputPlace.of(path, configuration);
      return partitionBy.isEmpty()
          ? new WholeFolder(path, place)
          : new PartitionedFolder(path, place, new PartitionColumns(partitionBy));
    } catch (IOException problem) {
      throw cannotBeWritten("the output " + path, problem);
    }
  }

  /**
   * A table of a catalog.
   *
   * @param name of it, as in SQL
   * @param checkpoint a folder for slices, and for what has been delivered to the table
   * @param format of the table where it has to be made
   * @param partitionBy columns that it is partitioned by then
   * @throws OutputException when there can be no such checkpoint
   */
  public static Destination table(
      String name,
      String checkpoint,
      Optional<TableFormat> format,
      List<String> partitionBy,
      Configuration configuration) {
    try {
      return new TableDestination(
          name,
          OutputPlace.of(checkpoint, configuration),
          format,
          new PartitionColumns(partitionBy),
          Lease::observe);
    } catch (IOException problem) {
      throw cannotBeWritten("the checkpoint " + checkpoint, problem);
    }
  }

  /** Where slices are until their rows are delivered. */
  final SliceFolder slices() {
    return slices;
  }

  /** Every folder that the job writes to or replaces. */
  abstract List<OutputPlace> places();

  /** Does what a run has left to do that ended after its rows had arrived. */
  abstract void settle() throws IOException;

  /** The records of what is there, where new files of the input can be compared with them. */
  abstract Optional<SliceFolder> finished() throws IOException;

  /** Whether all rows are there that a finished output is to have, as far as slices say. */
  abstract boolean isWhole(long rows) throws IOException;

  /**
   * Refuses a finished output whose rows are not where they were brought.
   *
   * @param sessions starts a session, where a catalog has to be asked
   */
  abstract void requireRows(Supplier<SparkSession> sessions) throws IOException;

  /**
   * What a person does to generate all rows anew.
   *
   * @param finished whether all rows of an earlier run are there
   */
  abstract String howToStartOver(boolean finished) throws IOException;

  /**
   * Refuses to lose or repeat what is there.
   *
   * @param overwrite whether it may be replaced
   * @param resumes whether the slices of an earlier run are gone on with
   */
  abstract void protect(boolean overwrite, boolean resumes) throws IOException;

  /** Makes a finished output an unfinished one that rows can be added to. */
  abstract void reopen() throws IOException;

  /** Takes {@link #reopen} back. */
  abstract void putBack() throws IOException;

  /**
   * Refuses what the last step could not do, before anything is generated.
   *
   * @param columns of the output
   */
  abstract void check(SparkSession spark, StructType columns) throws IOException;

  /**
   * Repeats a delivery of which nobody knows whether its rows have arrived.
   *
   * @return whether there was one
   */
  abstract boolean repeatDelivery(SparkSession spark) throws IOException;

  /**
   * The last step. A run that is killed in it can be resumed.
   *
   * @param columns of the output
   * @param overwrite whether what is there is replaced
   */
  abstract void deliver(SparkSession spark, StructType columns, boolean overwrite)
      throws IOException;

  /** What a person calls it. */
  @Override
  public final String toString() {
    return name;
  }

  /** What slices are written to, as a person calls it. */
  abstract String written();

  final OutputException cannotBeWritten(IOException problem) {
    return cannotBeWritten(written(), problem);
  }

  private static OutputException cannotBeWritten(String written, IOException problem) {
    return new OutputException(written + " cannot be written: " + problem.getMessage(), problem);
  }
}
