package dev.sparkmla.jobs.output;

import static java.util.stream.Collectors.joining;

import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.execution.datasources.PartitioningUtils;
import org.apache.spark.sql.types.StructType;
import scala.jdk.javaapi.CollectionConverters;

/**
 * The columns that an output is partitioned by.
 *
 * @param names as a person wrote them, from the outermost
 */
record PartitionColumns(List<String> names) {
  /** The option that names them. */
  static final String OPTION = "--partition-by";

  /** How many columns a message lists; an input may have thousands. */
  private static final int LISTED = 30;

  /** Copies the list. */
  PartitionColumns {
    names = List.copyOf(names);
  }

  /**
   * The columns by the names that they have in an output.
   *
   * @throws OutputException when it has no such column, or cannot be partitioned by it
   */
  List<String> in(StructType columns) {
    List<String> found = names.stream().map(name -> column(columns, name)).toList();
    try {
      PartitioningUtils.validatePartitionColumn(
          columns, CollectionConverters.asScala(found).toSeq(), false);
    } catch (Exception refused) { // Scala does not declare what it throws.
      throw new OutputException(
          "the output cannot be partitioned by "
              + String.join(", ", found)
              + ": "
              + refused.getMessage()
              + "; "
              + takes(columns),
          refused);
    }
    return found;
  }

  private static String column(StructType columns, String name) {
    return Arrays.stream(columns.fieldNames())
        .filter(name::equalsIgnoreCase)
        .findFirst()
        .orElseThrow(
            () ->
                new OutputException(
                    "the output cannot be partitioned by '"
                        + name
                        + "', which is no column of it; "
                        + takes(columns)));
  }

  private static String takes(StructType columns) {
    String[] names = columns.fieldNames();
    return OPTION
        + " takes some of its columns, separated by commas without blanks: "
        + Arrays.stream(names).limit(LISTED).collect(joining(", "))
        + (names.length > LISTED ? " and " + (names.length - LISTED) + " more" : "");
  }
}
