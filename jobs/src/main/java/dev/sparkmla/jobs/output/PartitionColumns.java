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
    try {
      PartitioningUtils.validatePartitionColumn(
          columns, CollectionConverters.asScala(names).toSeq(), false);
    } catch (Exception refused) { // Scala does not declare what it throws.
      throw new OutputException(
          "the output cannot be partitioned by "
              + String.join(", ", names)
              + ": "
              + refused.getMessage()
              + "; --partition-by takes some of "
              + Arrays.stream(columns.fieldNames()).collect(joining(", ")),
          refused);
    }
    return names.stream()
        .map(
            name ->
                Arrays.stream(columns.fieldNames())
                    .filter(name::equalsIgnoreCase)
                    .findFirst()
                    .orElseThrow())
        .toList();
  }
}
