package dev.sparkmla.jobs.output;

import dev.sparkmla.jobs.input.Documents;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.Supplier;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * A folder of folders named {@code column=value}. Spark writes it from the slices when these are
 * all there, within their folder, from where it is moved to its place.
 */
final class PartitionedFolder extends FolderDestination {
  /** Lists the files of a partitioned folder, each on a line. */
  private static final String FILES = "partitioned-files";

  private final PartitionColumns partitionBy;
  private final FileSystem system;

  /** Each run writes a folder of its own in it, so that those of two runs are never mixed. */
  private final Path partitioned;

  /** A file that says that a folder in {@link #partitioned} is whole, moved or not. */
  private final Path whole;

  PartitionedFolder(String name, OutputPlace place, PartitionColumns partitionBy) {
    super(name, place);
    this.partitionBy = partitionBy;
    system = place.system();
    partitioned = slices().record("partitioned");
    whole = slices().record("partitioned-is-whole");
  }

  /** Slices whose rows have been moved to their place are not needed any more. */
  @Override
  void settle() throws IOException {
    if (system.exists(whole)
        && (!system.exists(partitioned) || system.listStatus(partitioned).length == 0)) {
      slices().delete();
    }
  }

  /** The folder came with its record, by one rename. */
  @Override
  boolean isWhole(long rows) {
    return true;
  }

  @Override
  void requireRows(Supplier<SparkSession> sessions) throws IOException {
    TreeSet<String> missing = new TreeSet<>();
    try (FSDataInputStream files = system.open(place().slices().record(FILES))) {
      missing.addAll(new String(files.readAllBytes(), StandardCharsets.UTF_8).lines().toList());
    }
    int written = missing.size();
    missing.removeAll(files(place().path()));
    if (!missing.isEmpty()) {
      throw new OutputException(
          "the output "
              + this
              + " lacks "
              + missing.size()
              + " of the "
              + written
              + " files that were written, among them "
              + missing.first()
              + "; bring them back, or generate all rows anew: "
              + howToStartOver(true));
    }
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
    system.delete(partitioned, true);
    Path made = new Path(partitioned, UUID.randomUUID().toString());
    write(spark, columns, made);
    List<String> files = files(made);
    SliceFolder folder = new SliceFolder(system, slices().configuration(), made);
    folder.prepare();
    folder.runs().add(slices().runs().last());
    try (OutputStream listed = system.create(folder.record(FILES), true)) {
      listed.write(String.join("\n", files).getBytes(StandardCharsets.UTF_8));
    }
    folder.finish();
    system.create(whole, true).close();
    place().take(made);
    slices().delete();
  }

  private void write(SparkSession spark, StructType columns, Path made) throws IOException {
    List<Slice> content = slices().undelivered();
    Dataset<Row> rows = slices().read(spark.newSession(), content, columns);
    List<String> by = partitionBy.in(columns);
    try {
      rows.sortWithinPartitions(order(rows, !content.isEmpty()).toArray(Column[]::new))
          .write()
          .mode(SaveMode.Overwrite)
          .partitionBy(by.toArray(String[]::new))
          .parquet(made.toString());
    } catch (Exception problem) { // Scala does not declare what it throws.
      system.delete(made, true); // The next run may write no folders.
      throw OutputException.rooted(
          "the rows cannot be written to folders by " + String.join(", ", by),
          problem,
          "; --resume may have other columns in --partition-by, or none");
    }
  }

  /** Spark wants the rows of a partition together; within it they stay in the input's order. */
  private List<Column> order(Dataset<Row> rows, boolean ofFiles) {
    List<Column> order = new ArrayList<>();
    partitionBy.in(rows.schema()).forEach(name -> order.add(Documents.named(name)));
    if (ofFiles) {
      // Not by its name alone, which a column of the output may have.
      Column file = rows.metadataColumn("_metadata");
      order.add(file.getField("file_name"));
      order.add(file.getField("row_index"));
    }
    return order;
  }

  /** The files of a folder, by their paths in it. */
  private List<String> files(Path folder) throws IOException {
    List<String> files = new ArrayList<>();
    int start = folder.toString().length() + 1;
    for (RemoteIterator<LocatedFileStatus> all = system.listFiles(folder, true); all.hasNext(); ) {
      files.add(all.next().getPath().toString().substring(start));
    }
    return files;
  }
}
