package dev.sparkmla.jobs.output;

import java.io.IOException;
import java.util.function.Supplier;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/** A folder of slices. */
final class WholeFolder extends FolderDestination {
  WholeFolder(String name, OutputPlace place) {
    super(name, place);
  }

  @Override
  void settle() {}

  @Override
  boolean isWhole(long rows) throws IOException {
    return place().slices().committedRows() == rows;
  }

  /** A slice that is gone is seen by its name: its rows are generated again. */
  @Override
  void requireRows(Supplier<SparkSession> sessions) {}

  @Override
  void reopen() throws IOException {
    OutputPlace.move(place().system(), place().path(), slices().path());
  }

  @Override
  void putBack() throws IOException {
    slices().finish();
    OutputPlace.move(place().system(), slices().path(), place().path());
  }

  @Override
  void check(SparkSession spark, StructType columns) {}

  @Override
  void deliver(SparkSession spark, StructType columns, boolean overwrite) throws IOException {
    slices().finish();
    place().take(slices().path());
    place().slices().dropOthers(); // From now on nobody commits any more, whoever is still at work.
  }
}
