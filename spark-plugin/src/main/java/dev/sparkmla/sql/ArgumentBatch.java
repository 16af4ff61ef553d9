package dev.sparkmla.sql;

import dev.sparkmla.arrow.RequestVectors;
import dev.sparkmla.engine.OverflowPolicy;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.MapVector;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.execution.arrow.ArrowWriter;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;

/** The arguments of one batch after the other, as Arrow vectors. Not thread-safe. */
final class ArgumentBatch implements AutoCloseable {
  private final VectorSchemaRoot root;
  private final ArrowWriter writer;
  private final RequestVectors requests;
  private int rows;
  private long bytes;

  /**
   * @param type prompt, params, system
   * @param onOverflow of all rows
   * @param allocator holds the vectors
   */
  ArgumentBatch(StructType type, OverflowPolicy onOverflow, BufferAllocator allocator) {
    root = VectorSchemaRoot.create(ArrowUtils.toArrowSchema(type, "UTC", false), allocator);
    writer = ArrowWriter.create(root);
    requests =
        new RequestVectors(
            root.getVector(0),
            (MapVector) root.getVector(1),
            (VarCharVector) root.getVector(2),
            onOverflow);
  }

  void add(UnsafeRow arguments) {
    writer.write(arguments);
    rows++;
    bytes += arguments.getSizeInBytes();
  }

  int rows() {
    return rows;
  }

  long bytes() {
    return bytes;
  }

  /** What was added, to be read before {@link #clear}. */
  RequestVectors finish() {
    writer.finish();
    return requests;
  }

  void clear() {
    writer.reset();
    rows = 0;
    bytes = 0;
  }

  @Override
  public void close() {
    root.close();
  }
}
