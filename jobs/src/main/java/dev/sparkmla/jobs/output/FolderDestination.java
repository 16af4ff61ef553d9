package dev.sparkmla.jobs.output;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;

/** A folder that stands beside its place until all rows are there, and is then moved to it. */
abstract sealed class FolderDestination extends Destination permits WholeFolder, PartitionedFolder {
  private final OutputPlace place;
  private final OutputPlace unfinished;

  FolderDestination(String name, OutputPlace place) {
    super(name, unfinished(place).slices());
    this.place = place;
    unfinished = unfinished(place);
  }

  private static OutputPlace unfinished(OutputPlace place) {
    return place.suffixed("-unfinished");
  }

  final OutputPlace place() {
    return place;
  }

  @Override
  final List<OutputPlace> places() {
    return List.of(place, unfinished);
  }

  @Override
  final Optional<SliceFolder> finished() throws IOException {
    SliceFolder there = place.slices();
    return there.isFinished() ? Optional.of(there) : Optional.empty();
  }

  @Override
  final void protect(boolean overwrite, boolean resumes) throws IOException {
    if (place.isTaken() && !overwrite) {
      throw new OutputException(
          "the output "
              + this
              + " is there already; write elsewhere, or replace it with --overwrite");
    }
  }

  @Override
  final String howToStartOver(boolean finished) {
    return finished
        ? "replace it with --overwrite and without --resume"
        : "start over with --force and without --resume, which deletes the unfinished rows";
  }

  @Override
  final String written() {
    return "the output " + this;
  }

  /** The rows of a folder arrive in one rename. */
  @Override
  final boolean repeatDelivery(SparkSession spark) {
    return false;
  }
}
