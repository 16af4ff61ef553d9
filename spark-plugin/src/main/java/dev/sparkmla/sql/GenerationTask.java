package dev.sparkmla.sql;

import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.plugin.ExecutorEngine;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** What the driver sends to each task of an {@link LlmGenerationExec}. Immutable. */
final class GenerationTask
    implements Function2<Integer, Iterator<InternalRow>, Iterator<InternalRow>> {
  private static final long serialVersionUID = 1L;

  private final List<Expression> arguments;
  private final List<Attribute> input;
  private final DataType promptType;
  private final DataType[] outputTypes;
  private final OnError onError;
  private final OverflowPolicy onOverflow;
  private final ResultType resultType;
  private final int batchRows;
  private final long batchBytes;
  private final long windowBytes;
  private final GenerationMetrics metrics;

  /**
   * @param call whose arguments are computed on the rows
   * @param input the rows' columns
   * @param batchRows rows of a batch at most
   * @param batchBytes bytes of arguments after which a batch is full
   * @param windowBytes bytes of rows that a task holds in memory at most
   * @param metrics where to count
   */
  GenerationTask(
      LlmGenerate call,
      List<Attribute> input,
      int batchRows,
      long batchBytes,
      long windowBytes,
      GenerationMetrics metrics) {
    this.arguments = Catalyst.list(call.children());
    this.input = new ArrayList<>(input);
    this.promptType = call.prompt().dataType();
    List<DataType> types = new ArrayList<>(input.stream().map(Attribute::dataType).toList());
    types.add(call.resultType().struct());
    this.outputTypes = types.toArray(DataType[]::new);
    this.onError = call.onError();
    this.onOverflow = call.onOverflow();
    this.resultType = call.resultType();
    this.batchRows = batchRows;
    this.batchBytes = batchBytes;
    this.windowBytes = windowBytes;
    this.metrics = metrics;
  }

  @Override
  public Iterator<InternalRow> call(Integer partition, Iterator<InternalRow> rows) {
    ExecutorEngine engine = ExecutorEngine.current();
    return GenerationIterator.open(
        this, partition, rows, engine.generator(), engine.demand(), TaskContext.get());
  }

  /** From a row to a row of {@link #argumentType}. */
  UnsafeProjection toArguments() {
    return UnsafeProjection.create(Catalyst.seq(arguments), Catalyst.seq(input));
  }

  /** The columns of a batch of arguments. */
  StructType argumentType() {
    return new StructType()
        .add("prompt", promptType, true)
        .add("params", CallArguments.PARAMS_TYPE, true)
        .add("system", DataTypes.StringType, true);
  }

  /** From an input row to the same in Spark's binary format, of a size that is known. */
  UnsafeProjection toInput() {
    return UnsafeProjection.create(Arrays.copyOf(outputTypes, input.size()));
  }

  /** From a row joined with its result to an output row. */
  UnsafeProjection toOutput() {
    return UnsafeProjection.create(outputTypes);
  }

  /** Columns of an output row. */
  int outputColumns() {
    return outputTypes.length;
  }

  OnError onError() {
    return onError;
  }

  OverflowPolicy onOverflow() {
    return onOverflow;
  }

  ResultType resultType() {
    return resultType;
  }

  int batchRows() {
    return batchRows;
  }

  long batchBytes() {
    return batchBytes;
  }

  long windowBytes() {
    return windowBytes;
  }

  GenerationMetrics metrics() {
    return metrics;
  }
}
