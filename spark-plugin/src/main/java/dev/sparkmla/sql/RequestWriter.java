package dev.sparkmla.sql;

import dev.sparkmla.arrow.CommonRequest;
import dev.sparkmla.arrow.RequestBatch;
import java.util.Optional;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.types.pojo.Schema;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.execution.arrow.ArrowWriter;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;

/**
 * Writes the arguments of rows into request batches, one batch after the other. It owns the batch
 * that it fills, which has its own allocator, until {@link #finish} hands it over. Not thread-safe.
 */
final class RequestWriter implements AutoCloseable {
  private final Schema schema;
  private final CommonRequest common;
  private final BufferAllocator parent;

  /** Of each column of texts, how many bytes it had in the last batch: the next one has as many. */
  private final long[] bytes;

  private Optional<Filling> filling = Optional.empty();

  /** The batch that is being filled. */
  private record Filling(VectorSchemaRoot columns, BufferAllocator allocator, ArrowWriter writer) {}

  /**
   * @param type the columns of a batch, as {@link RequestBatch} describes them
   * @param common what holds for all rows
   * @param parent the allocator under which each batch gets one of its own
   */
  RequestWriter(StructType type, CommonRequest common, BufferAllocator parent) {
    this.schema = ArrowUtils.toArrowSchema(type, "UTC", false);
    this.common = common;
    this.parent = parent;
    this.bytes = new long[schema.getFields().size()];
  }

  /**
   * Begins a batch, unless one is begun.
   *
   * @param rows for how many it is allocated at first
   */
  void begin(int rows) {
    if (filling.isPresent()) {
      return;
    }
    BufferAllocator allocator = parent.newChildAllocator("requests", 0, Long.MAX_VALUE);
    VectorSchemaRoot columns = VectorSchemaRoot.create(schema, allocator);
    try {
      for (int i = 0; i < bytes.length; i++) {
        if (columns.getVector(i) instanceof VarCharVector texts && bytes[i] > 0) {
          texts.setInitialCapacity(rows, (double) bytes[i] / rows);
        } else {
          columns.getVector(i).setInitialCapacity(rows);
        }
      }
      filling = Optional.of(new Filling(columns, allocator, ArrowWriter.create(columns)));
    } catch (RuntimeException problem) {
      columns.close();
      allocator.close();
      throw problem;
    }
  }

  /** Writes a row of arguments into the batch that was begun. */
  void add(UnsafeRow arguments) {
    filling.orElseThrow().writer().write(arguments);
  }

  /**
   * Hands over the batch of the rows that were added, which must be at least one. The batch is the
   * caller's.
   */
  RequestBatch finish() {
    Filling full = filling.orElseThrow();
    full.writer().finish();
    for (int i = 0; i < bytes.length; i++) {
      if (full.columns().getVector(i) instanceof VarCharVector texts) {
        bytes[i] = texts.sizeOfValueBuffer();
      }
    }
    RequestBatch batch = new RequestBatch(full.columns(), full.allocator(), common);
    filling = Optional.empty();
    return batch;
  }

  /** Frees the batch that is being filled. */
  @Override
  public void close() {
    filling.ifPresent(
        unfinished -> {
          unfinished.columns().close();
          unfinished.allocator().close();
        });
    filling = Optional.empty();
  }
}
