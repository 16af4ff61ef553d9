package dev.sparkmla.sql;

import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.engine.GenerationParameters;
import dev.sparkmla.sql.answer.AnswerFormat;
import java.util.Map;
import java.util.Optional;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.types.pojo.Schema;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.execution.arrow.ArrowWriter;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.ArrowUtils;

/**
 * Writes the arguments of rows into one request batch after the other. It owns the batch that it
 * fills, in an allocator of the batch's own, until {@link #finish} hands it over. Not thread-safe.
 */
final class RequestWriter implements AutoCloseable {
  private final Schema schema;
  private final OverflowPolicy onOverflow;
  private final Map<String, String> commonParams;
  private final int usualRows;
  private final BufferAllocator parent;
  private Optional<Filling> filling = Optional.empty();
  private int rows;
  private long bytes;

  /** The batch that is being filled. */
  private record Filling(VectorSchemaRoot columns, BufferAllocator allocator, ArrowWriter writer) {}

  /**
   * @param type prompt, params, system
   * @param onOverflow of all rows
   * @param answer the form of all rows' answers
   * @param usualRows how many a batch has room for at first
   * @param parent the allocator under which each batch gets one of its own
   */
  RequestWriter(
      StructType type,
      OverflowPolicy onOverflow,
      AnswerFormat answer,
      int usualRows,
      BufferAllocator parent) {
    this.schema = ArrowUtils.toArrowSchema(type, "UTC", false);
    this.onOverflow = onOverflow;
    this.commonParams =
        answer
            .format()
            .map(format -> Map.of(GenerationParameters.RESPONSE_FORMAT.name(), format))
            .orElse(Map.of());
    this.usualRows = usualRows;
    this.parent = parent;
  }

  /** Writes a row of arguments. */
  void add(UnsafeRow arguments) {
    if (filling.isEmpty()) {
      filling = Optional.of(begin());
    }
    filling.get().writer().write(arguments);
    rows++;
    bytes += arguments.getSizeInBytes();
  }

  private Filling begin() {
    BufferAllocator allocator = parent.newChildAllocator("requests", 0, Long.MAX_VALUE);
    VectorSchemaRoot columns = VectorSchemaRoot.create(schema, allocator);
    try {
      columns.getFieldVectors().forEach(vector -> vector.setInitialCapacity(usualRows));
      return new Filling(columns, allocator, ArrowWriter.create(columns));
    } catch (RuntimeException problem) {
      columns.close();
      allocator.close();
      throw problem;
    }
  }

  /** Rows of the batch that is being filled. */
  int rows() {
    return rows;
  }

  /** Bytes of its arguments. */
  long bytes() {
    return bytes;
  }

  /** Hands over the batch of the rows that were added, at least one, and begins another. */
  RequestBatch finish() {
    Filling full = filling.orElseThrow();
    full.writer().finish();
    RequestBatch batch =
        new RequestBatch(full.columns(), full.allocator(), onOverflow, commonParams);
    filling = Optional.empty();
    rows = 0;
    bytes = 0;
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
