package dev.sparkmla.jobs.output;

import static java.util.stream.Collectors.joining;

import dev.sparkmla.jobs.input.Documents;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.spark.sql.DataFrameWriterV2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * A table of a catalog. Slices and the log of deliveries are in a folder of their own, the
 * checkpoint; a delivery adds all rows that are there to the table in one transaction, and their
 * slices are deleted.
 */
final class TableDestination extends Destination {
  private final String name;
  private final OutputPlace checkpoint;
  private final Optional<TableFormat> format;
  private final PartitionColumns partitionBy;

  TableDestination(
      String name,
      OutputPlace checkpoint,
      Optional<TableFormat> format,
      PartitionColumns partitionBy) {
    super(name, checkpoint.slices());
    this.name = name;
    this.checkpoint = checkpoint;
    this.format = format;
    this.partitionBy = partitionBy;
  }

  @Override
  List<OutputPlace> places() {
    return List.of(checkpoint);
  }

  @Override
  void settle() throws IOException {
    if (slices().isFinished()) {
      throw new OutputException(
          "the folder "
              + checkpoint.path()
              + " is the finished output of another job and no checkpoint; name another folder");
    }
    Stream.concat(deliveries().ended().stream(), deliveries().open().stream())
        .filter(delivery -> !delivery.table().equals(name))
        .findFirst()
        .ifPresent(
            delivery -> {
              throw new OutputException(
                  "the checkpoint "
                      + checkpoint.path()
                      + " belongs to the table "
                      + delivery.table()
                      + ", to which rows of it were added; name another checkpoint for the table "
                      + name);
            });
    if (!deliveries().ended().isEmpty()) {
      slices().dropOthers();
    }
  }

  @Override
  Optional<SliceFolder> finished() throws IOException {
    return deliveries().ended().isEmpty() ? Optional.empty() : Optional.of(slices());
  }

  @Override
  boolean isWhole(long rows) throws IOException {
    return slices().undelivered().isEmpty() && slices().committedRows() == rows;
  }

  @Override
  void protect(boolean overwrite, boolean resumes) throws IOException {
    boolean isThere = !deliveries().ended().isEmpty();
    if (resumes && overwrite && isThere) {
      throw new OutputException(
          "rows of the checkpoint "
              + checkpoint.path()
              + " are in the table "
              + name
              + ", and --overwrite would delete them; leave it away, or start over with --force");
    }
    if (!resumes && !overwrite && (isThere || deliveries().open().isPresent())) {
      throw new OutputException(
          "rows of the checkpoint "
              + checkpoint.path()
              + (isThere ? " are" : " may be")
              + " in the table "
              + name
              + " already; go on, and add those of new files, with --resume; replace all of the"
              + " table's with --overwrite; or name another checkpoint");
    }
  }

  /** Rows of new files go to the checkpoint as the first ones did. */
  @Override
  void reopen() {}

  @Override
  void putBack() {}

  @Override
  void check(SparkSession spark, StructType columns) {
    Optional<Table> there = find(spark);
    if (there.isEmpty()) {
      requireNoDelivery();
      create(spark, columns);
    } else {
      requireFormat(there.get());
      requireColumns(there.get(), columns);
      requireNoOtherNotNull(there.get(), columns);
      requirePartitions(there.get(), columns);
    }
  }

  @Override
  boolean repeatDelivery(SparkSession spark) throws IOException {
    Optional<Delivery> open = deliveries().open();
    if (open.isPresent()) {
      deliver(spark, open.get());
    }
    return open.isPresent();
  }

  @Override
  void deliver(SparkSession spark, StructType columns, boolean overwrite) throws IOException {
    // What this checkpoint has brought itself stays.
    boolean replaces = overwrite && deliveries().ended().isEmpty();
    List<Slice> rows = slices().undelivered();
    if (replaces || !rows.isEmpty()) {
      deliver(spark, deliveries().begin(name, replaces, columns, rows));
    }
  }

  private void deliver(SparkSession spark, Delivery delivery) throws IOException {
    // A session of its own, because the job's reads files in blocks that are too small here.
    SparkSession own = spark.newSession();
    Table table = find(own).orElseThrow(this::isNotThere);
    TableFormat found = requireFormat(table);
    if (!found.has(delivery, own, name)) {
      add(slices().read(own, delivery.content(), delivery.schema()), delivery, found);
    }
    deliveries().end(delivery);
    slices().dropOthers();
  }

  /** Adds rows in one transaction. */
  void add(Dataset<Row> rows, Delivery delivery, TableFormat found) {
    DataFrameWriterV2<Row> writer = rows.writeTo(name).options(found.options(delivery));
    try {
      if (delivery.replaces()) {
        writer.overwrite(functions.lit(true));
      } else {
        writer.append();
      }
    } catch (Exception problem) { // Scala does not declare what it throws.
      throw new OutputException(
          "the rows cannot be added to the table " + name + ": " + problem.getMessage(), problem);
    }
  }

  private void create(SparkSession spark, StructType columns) {
    TableFormat made = format.orElseThrow(this::isNotThere);
    List<String> partitions = partitionBy.in(columns);
    String command =
        "CREATE TABLE "
            + name
            + " ("
            + columns.toDDL()
            + ") USING "
            + made
            + (partitions.isEmpty()
                ? ""
                : partitions.stream()
                    .map(Documents::quoted)
                    .collect(joining(", ", " PARTITIONED BY (", ")")));
    try {
      spark.sql(command);
    } catch (Exception problem) { // Scala does not declare what it throws.
      throw new OutputException(
          "the table " + name + " cannot be created: " + problem.getMessage() + "; " + made.needs(),
          problem);
    }
  }

  /** A table that is made anew would lack the rows that the checkpoint has added to it before. */
  private void requireNoDelivery() {
    try {
      if (!deliveries().ended().isEmpty()) {
        throw new OutputException(
            "the table "
                + name
                + ", to which rows of the checkpoint "
                + checkpoint.path()
                + " were added, is not there any more; bring it back, or name another checkpoint");
      }
    } catch (IOException problem) {
      throw cannotBeWritten(name, problem);
    }
  }

  private OutputException isNotThere() {
    return new OutputException(
        "there is no table "
            + name
            + "; --table-format delta or iceberg makes one. If it is there, Spark does not know its"
            + " catalog: "
            + TableFormat.allNeeds());
  }

  private Optional<Table> find(SparkSession spark) {
    try {
      return CatalogLookup.table(spark, name);
    } catch (Exception | LinkageError problem) { // A catalog may be made for another Spark.
      throw new OutputException(
          "the table "
              + name
              + " cannot be opened: "
              + problem.getMessage()
              + "; "
              + format.map(TableFormat::needs).orElseGet(TableFormat::allNeeds),
          problem);
    }
  }

  private TableFormat requireFormat(Table table) {
    String provider = table.properties().getOrDefault("provider", "none");
    TableFormat found =
        TableFormat.of(provider)
            .orElseThrow(
                () ->
                    new OutputException(
                        "the table "
                            + name
                            + " is of the format "
                            + provider
                            + ", to which rows could be added twice; give one of the formats delta"
                            + " and iceberg, or write to a folder with --output"));
    if (format.isPresent() && format.get() != found) {
      throw new OutputException(
          "the table " + name + " is there in the format " + found + ", not " + format.get());
    }
    return found;
  }

  private void requireColumns(Table table, StructType columns) {
    if (table.columns().length == 0) { // So Delta Lake shows a folder that holds something else.
      throw new OutputException(
          "at the place of the table "
              + name
              + " is something that is no table; name another place");
    }
    for (StructField field : columns.fields()) {
      Column column =
          Arrays.stream(table.columns())
              .filter(one -> one.name().equalsIgnoreCase(field.name()))
              .findFirst()
              .orElseThrow(() -> hasNo(field));
      if (!Cast.canUpCast(field.dataType(), column.dataType())) {
        throw new OutputException(
            "the column "
                + field.name()
                + " of the table "
                + name
                + " is "
                + column.dataType().sql()
                + " and cannot hold the output's, which is "
                + field.dataType().sql()
                + "; name another table");
      }
    }
  }

  /** Spark and the formats refuse a row without such a value, but only when it is added. */
  private void requireNoOtherNotNull(Table table, StructType columns) {
    List<String> written = List.of(columns.fieldNames());
    for (Column column : table.columns()) {
      if (written.stream().noneMatch(column.name()::equalsIgnoreCase)
          && !column.nullable()
          && column.defaultValue() == null
          && column.generationExpression() == null
          && column.identityColumnSpec() == null) {
        throw new OutputException(
            "the column "
                + column.name()
                + " of the table "
                + name
                + " is NOT NULL, and the output has no such column; ALTER TABLE "
                + name
                + " ALTER COLUMN "
                + column.name()
                + " DROP NOT NULL, or name another table");
      }
    }
  }

  private OutputException hasNo(StructField field) {
    return new OutputException(
        "the table "
            + name
            + " has no column "
            + field.name()
            + ", which the output has; add it with ALTER TABLE "
            + name
            + " ADD COLUMNS ("
            + field.toDDL()
            + "), or name another table");
  }

  private void requirePartitions(Table table, StructType columns) {
    if (partitionBy.names().isEmpty()) {
      return;
    }
    List<String> are = Stream.of(table.partitioning()).map(Transform::describe).toList();
    String asked = String.join(", ", partitionBy.in(columns));
    if (!asked.equalsIgnoreCase(String.join(", ", are))) {
      throw new OutputException(
          "the table "
              + name
              + " is partitioned by "
              + (are.isEmpty() ? "nothing" : String.join(", ", are))
              + ", not by "
              + asked
              + "; leave --partition-by away, or name another table");
    }
  }

  private Deliveries deliveries() {
    return slices().deliveries();
  }
}
