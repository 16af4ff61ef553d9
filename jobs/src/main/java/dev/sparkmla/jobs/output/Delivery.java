package dev.sparkmla.jobs.output;

import java.util.List;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/**
 * Slices whose rows are added to a table in one transaction. Immutable.
 *
 * @param table that they are added to
 * @param tableId identifies that table among all that have had its name; null where its format has
 *     no such thing
 * @param application identifies the checkpoint that the slices are in, of all that there are
 * @param number of the delivery, from 1
 * @param replaces whether the rows take the place of the table's
 * @param columns of the slices, as Spark writes a schema in JSON
 * @param slices names of their files
 */
record Delivery(
    String table,
    String tableId,
    String application,
    long number,
    boolean replaces,
    String columns,
    List<String> slices) {

  /** Copies the list. */
  Delivery {
    slices = List.copyOf(slices);
  }

  /** What the files' names say. */
  List<Slice> content() {
    return slices.stream().map(name -> Slice.ofName(name).orElseThrow()).toList();
  }

  /** The columns of the slices. */
  StructType schema() {
    return (StructType) DataType.fromJson(columns);
  }
}
