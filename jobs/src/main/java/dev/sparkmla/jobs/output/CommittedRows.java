package dev.sparkmla.jobs.output;

import dev.sparkmla.jobs.input.RemainingRows;
import dev.sparkmla.jobs.input.RowRange;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Asks an output's folder which rows are committed. A task that is tried again does so before it
 * reads, and leaves those out that its earlier attempts have committed. Immutable.
 */
final class CommittedRows implements RemainingRows {
  private static final long serialVersionUID = 1L;

  private final String folder;
  private final ArrayList<Slice> certain;
  private final SerializableConfiguration configuration;

  /**
   * @param certain slices that are committed whatever is in the folder
   */
  CommittedRows(Path folder, Collection<Slice> certain, Configuration configuration) {
    this.folder = folder.toString();
    this.certain = new ArrayList<>(certain);
    this.configuration = new SerializableConfiguration(configuration);
  }

  @Override
  public List<RowRange> of(RowRange range) {
    try {
      Path path = new Path(folder);
      FileSystem system = path.getFileSystem(configuration.value());
      return Slice.missing(Slice.distinct(certain, slices(system, path)), range);
    } catch (IOException problem) {
      throw new OutputException(
          "the slices in " + folder + " cannot be listed: " + problem.getMessage(), problem);
    }
  }

  /** All slices of a folder. */
  static List<Slice> slices(FileSystem system, Path folder) throws IOException {
    List<Slice> slices = new ArrayList<>();
    for (FileStatus file : system.listStatus(folder)) {
      Slice.ofName(file.getPath().getName()).ifPresent(slices::add);
    }
    return slices;
  }
}
