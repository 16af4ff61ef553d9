package dev.sparkmla.jobs.input;

import java.io.Serializable;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;

/**
 * Rows of a file that follow one another in one partition of its reading: those of a byte range of
 * lines, of row groups of Parquet, or of a whole file that cannot be split.
 *
 * @param file as a person writes it
 * @param start where the block begins in the file, in bytes
 * @param partition of the reading
 * @param before rows of the partition before the block
 * @param rows in the block
 */
record RowBlock(String file, long start, int partition, long before, long rows)
    implements Serializable {

  /** A reading of many small files has a partition for each; a task of a scan takes several. */
  private static final int PARTITIONS_OF_A_SCAN = 1024;

  /** What a scan finds out in each partition, in no particular order. */
  static <T> List<T> scan(JavaRDD<T> partitions) {
    return partitions.coalesce(PARTITIONS_OF_A_SCAN).collect();
  }
}
