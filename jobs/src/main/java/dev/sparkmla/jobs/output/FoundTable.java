package dev.sparkmla.jobs.output;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.expressions.IdentityTransform;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * A table that is there, and whether it can take rows.
 *
 * @param name of it, as in SQL
 * @param table as its catalog has it
 */
record FoundTable(String name, Table table) {
  /**
   * Takes it for a table.
   *
   * @throws OutputException when it is none: so Delta Lake shows a folder that holds something else
   */
  FoundTable {
    if (table.columns().length == 0) {
      throw new OutputException(
          "at the place of the table "
              + name
              + " is something that is no table; name another place");
    }
  }

  /**
   * Its format.
   *
   * @throws OutputException when rows could be added to it twice
   */
  TableFormat format() {
    String provider = table.properties().getOrDefault("provider", "none");
    return TableFormat.of(provider)
        .orElseThrow(
            () ->
                new OutputException(
                    "the table "
                        + name
                        + " is of the format "
                        + provider
                        + ", to which rows could be added twice; name one of the formats delta"
                        + " and iceberg, or write to a folder with --output"));
  }

  /**
   * What identifies it among all tables that have had its name, where its format has such a thing.
   */
  Optional<String> id(SparkSession spark) {
    return format().id(this, spark);
  }

  /** Refuses one that is not of the format that a person expects, who may expect none. */
  void requireFormat(Optional<TableFormat> expected) {
    TableFormat is = format();
    if (expected.isPresent() && expected.get() != is) {
      throw new OutputException(
          "the table "
              + name
              + " is there in the format "
              + is
              + ", not "
              + expected.get()
              + "; leave --table-format away, or name another table");
    }
  }

  /** Refuses a table and a checkpoint of which one is in the folder of the other. */
  void requireApartFrom(OutputPlace checkpoint) throws IOException {
    String location = table.properties().get(TableCatalog.PROP_LOCATION);
    String scheme = location == null ? null : new Path(location).toUri().getScheme();
    boolean isElsewhere = scheme != null && !scheme.equals(checkpoint.path().toUri().getScheme());
    if (location == null || isElsewhere) { // Formats reach stores that Hadoop may not know here.
      return;
    }
    OutputPlace place = OutputPlace.of(location, checkpoint.configuration());
    if (place.isWithin(checkpoint) || checkpoint.isWithin(place)) {
      throw new OutputException(
          "the checkpoint "
              + checkpoint.path()
              + " and the table "
              + name
              + " at "
              + place.path()
              + " are one within the other, where the table's maintenance could delete rows; name"
              + " another checkpoint");
    }
  }

  /** Refuses one that cannot hold the output's rows. */
  void requireColumns(StructType columns) {
    requireTypes(columns);
    requireNoOtherNotNull(columns);
  }

  private void requireTypes(StructType columns) {
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
  private void requireNoOtherNotNull(StructType columns) {
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

  /** Refuses one that is partitioned otherwise than a person expects, who may expect nothing. */
  void requirePartitions(PartitionColumns partitionBy, StructType columns) {
    if (partitionBy.names().isEmpty()) {
      return;
    }
    List<String> are = Stream.of(table.partitioning()).map(FoundTable::describe).toList();
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

  /** A column by its name, which Spark would quote, or what is made of columns. */
  private static String describe(Transform partition) {
    return partition instanceof IdentityTransform
        ? String.join(".", partition.references()[0].fieldNames())
        : partition.describe();
  }
}
