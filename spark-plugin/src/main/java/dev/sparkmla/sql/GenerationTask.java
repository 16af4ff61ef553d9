package dev.sparkmla.sql;

import dev.sparkmla.arrow.CommonRequest;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.engine.GenerationParameters;
import dev.sparkmla.plugin.ExecutorEngine;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** What the driver sends to each task of an {@link LlmGenerationExec}. Immutable. */
final class GenerationTask
    implements Function2<Integer, Iterator<InternalRow>, Iterator<InternalRow>> {
  private static final long serialVersionUID = 1L;

  private final List<Expression> arguments = new ArrayList<>();
  private StructType argumentType = new StructType();
  private final Expression params;
  private final Expression system;
  private final List<Attribute> input;
  private final DataType[] outputTypes;
  private final OnError onError;
  private final OverflowPolicy onOverflow;
  private final ResultType resultType;
  private final int batchRows;
  private final long batchBytes;
  private final long windowBytes;
  private final GenerationMetrics metrics;

  /**
   * @param call the call, whose arguments are computed from the rows
   * @param input the columns of the input rows
   * @param batchRows how many rows a batch has at most
   * @param batchBytes after how many bytes of arguments a batch is full
   * @param windowBytes how many bytes of rows a task holds in memory at most
   * @param metrics the operator's metrics
   */
  GenerationTask(
      LlmGenerate call,
      List<Attribute> input,
      int batchRows,
      long batchBytes,
      long windowBytes,
      GenerationMetrics metrics) {
    this.params = call.params();
    this.system = call.system();
    addArgument(RequestBatch.PROMPT, call.prompt(), call.prompt().dataType());
    if (!(params instanceof Literal)) {
      addArgument(RequestBatch.PARAMS, params, CallArguments.PARAMS_TYPE);
    }
    if (!(system instanceof Literal)) {
      addArgument(RequestBatch.SYSTEM, system, DataTypes.StringType);
    }
    this.input = new ArrayList<>(input);
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

  private void addArgument(String name, Expression argument, DataType type) {
    arguments.add(argument);
    argumentType = argumentType.add(name, type, true);
  }

  @Override
  public Iterator<InternalRow> call(Integer partition, Iterator<InternalRow> rows) {
    ExecutorEngine engine = ExecutorEngine.current();
    return GenerationIterator.open(
        this, partition, rows, engine.generator(), engine.demand(), TaskContext.get());
  }

  /** Projects an input row to its own arguments, a row of {@link #argumentType}. */
  UnsafeProjection toArguments() {
    return UnsafeProjection.create(Catalyst.seq(arguments), Catalyst.seq(input));
  }

  /** The columns of a batch of arguments: those that are not the same for all rows. */
  StructType argumentType() {
    return argumentType;
  }

  /** The arguments that are the same for all rows. */
  CommonRequest common() {
    Map<String, String> constants = new HashMap<>();
    if (params instanceof Literal) {
      constants.putAll(ConstantParams.of(params));
    }
    resultType
        .answer()
        .format()
        .ifPresent(format -> constants.put(GenerationParameters.RESPONSE_FORMAT.name(), format));
    Optional<String> message =
        system instanceof Literal literal
            ? Optional.ofNullable(literal.value()).map(Object::toString)
            : Optional.empty();
    return new CommonRequest(constants, message, onOverflow);
  }

  /** Converts an input row to Spark's binary format, in which its size is known. */
  UnsafeProjection toInput() {
    return UnsafeProjection.create(Arrays.copyOf(outputTypes, input.size()));
  }

  /** Converts an input row joined with its result to an output row. */
  UnsafeProjection toOutput() {
    return UnsafeProjection.create(outputTypes);
  }

  /** The number of columns of an output row. */
  int outputColumns() {
    return outputTypes.length;
  }

  OnError onError() {
    return onError;
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
