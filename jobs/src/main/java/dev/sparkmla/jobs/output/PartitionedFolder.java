package dev.sparkmla.jobs.output;

import dev.sparkmla.jobs.input.Documents;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * A folder of folders named {@code column=value}. Spark writes it from the slices when these are
 * all there, within their folder, from where it is moved to its place.
 */
final class PartitionedFolder extends FolderDestination {
  private final PartitionColumns partitionBy;
  private final FileSystem system;
  private final Path partitioned;

  /** A file that says that {@link #partitioned} is whole, whether it has been moved yet or not. */
  private final Path whole;

  PartitionedFolder(String name, OutputPlace place, PartitionColumns partitionBy) {
    super(name, place);
    this.partitionBy = partitionBy;
    system = place.system();
    partitioned = slices().made("partitioned");
    whole = slices().made("partitioned-is-whole");
  }

  /** Slices whose rows have been moved to their place are not needed any more. */
  @Override
  void settle() throws IOException {
    if (system.exists(whole) && !system.exists(partitioned)) {
      slices().delete();
    }
  }

  /** The folder came with its record, by one rename. */
  @Override
  boolean isWhole(long rows) {
    return true;
  }

  @Override
  void reopen() {
    throw new OutputException(
        "the output "
            + this
            + " is partitioned and finished, so that the rows of new files cannot be added to it;"
            + " write them elsewhere, write all rows anew with --overwrite, or write to a table"
            + " with --output-table");
  }

  @Override
  void putBack() {}

  @Override
  void check(SparkSession spark, StructType columns) {
    partitionBy.in(columns);
  }

  @Override
  void deliver(SparkSession spark, StructType columns, boolean overwrite) throws IOException {
    system.delete(whole, false);
    List<Slice> rows = slices().undelivered();
    slices()
        .read(spark.newSession(), rows, columns)
        .sortWithinPartitions(order(columns, rows).toArray(Column[]::new))
        .write()
        .mode(SaveMode.Overwrite)
        .partitionBy(partitionBy.in(columns).toArray(String[]::new))
        .parquet(partitioned.toString());
    SliceFolder made = new SliceFolder(system, slices().configuration(), partitioned);
    JobRecord record = slices().runs().last();
    made.prepare();
    made.runs().add(record);
    made.finish();
    system.create(whole, true).close();
    place().take(partitioned);
    slices().delete();
  }

  /** Spark wants the rows of a partition together; within it they stay in the input's order. */
  private List<Column> order(StructType columns, List<Slice> rows) {
    List<Column> order = new ArrayList<>();
    partitionBy.in(columns).forEach(name -> order.add(Documents.named(name)));
    if (!rows.isEmpty()) {
      order.add(functions.col("_metadata.file_name"));
      order.add(functions.col("_metadata.row_index"));
    }
    return order;
  }
}
