package dev.sparkmla.sql;

import dev.sparkmla.arrow.RequestVectors;
import dev.sparkmla.arrow.RequestVectors.Asked;
import dev.sparkmla.arrow.RequestVectors.Refused;
import dev.sparkmla.arrow.ResultVectors;
import dev.sparkmla.engine.FinishReason;
import dev.sparkmla.engine.GenerationResult;
import dev.sparkmla.plugin.TextGenerator;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ExecutionException;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.JoinedRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.util.ArrowUtils;
import org.apache.spark.sql.vectorized.ArrowColumnVector;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.sql.vectorized.ColumnarBatchRow;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.util.TaskCompletionListener;
import org.apache.spark.util.TaskInterruptListener;

/**
 * One task's rows, each joined with its result, in input order.
 *
 * <p><b>Flow.</b> Rows are copied and their arguments written into an Arrow batch; a full batch is
 * handed to the engine and its vectors are used again. So many batches are in the engine at once,
 * and no further row is read until the oldest has been passed on.
 *
 * <p><b>Ownership.</b> It owns the task's Arrow memory and the futures of rows in flight; the end
 * of the task, however it comes, frees both.
 *
 * <p><b>Threads.</b> The task's thread runs it; an interruption cancels what is in flight from
 * another, which wakes the task.
 */
final class GenerationIterator implements Iterator<InternalRow>, AutoCloseable {
  /** No vector of strings holds more. */
  private static final long ARROW_LIMIT = 2L << 30;

  private final GenerationTask task;
  private final Iterator<InternalRow> input;
  private final TextGenerator generator;
  private final TaskContext context;
  private final BufferAllocator allocator;
  private final ArgumentBatch arguments;
  private final ResultVectors results;
  private final UnsafeProjection toArguments;
  private final UnsafeProjection toOutput;
  private final JoinedRow joined = new JoinedRow();
  private final ColumnarBatchRow result;
  private final ConcurrentLinkedDeque<Batch> inFlight = new ConcurrentLinkedDeque<>();
  private List<InternalRow> rows = List.of();
  private int position;

  /** Rows with their results to be; no result where the prompt is NULL. */
  private record Batch(
      List<InternalRow> rows, List<Optional<CompletableFuture<GenerationResult>>> results) {
    void cancel() {
      results.forEach(result -> result.ifPresent(future -> future.cancel(true)));
    }
  }

  private GenerationIterator(
      GenerationTask task,
      int partition,
      Iterator<InternalRow> input,
      TextGenerator generator,
      TaskContext context) {
    this.task = task;
    this.input = input;
    this.generator = generator;
    this.context = context;
    this.toArguments = task.toArguments();
    this.toArguments.initialize(partition);
    this.toOutput = task.toOutput();
    this.allocator =
        ArrowUtils.rootAllocator()
            .newChildAllocator(
                LlmGenerate.NAME + " task " + context.taskAttemptId(), 0, ARROW_LIMIT);
    this.arguments = new ArgumentBatch(task.argumentType(), task.onOverflow(), allocator);
    this.results = new ResultVectors(allocator);
    this.result =
        new ColumnarBatchRow(new ColumnVector[] {new ArrowColumnVector(results.vector())});
  }

  /**
   * Starts on a task's rows.
   *
   * @param partition the task's partition
   * @param context ends with the task
   */
  static Iterator<InternalRow> open(
      GenerationTask task,
      int partition,
      Iterator<InternalRow> input,
      TextGenerator generator,
      TaskContext context) {
    GenerationIterator iterator =
        new GenerationIterator(task, partition, input, generator, context);
    context.addTaskCompletionListener((TaskCompletionListener) ended -> iterator.close());
    context.addTaskInterruptListener(
        (TaskInterruptListener) (interrupted, reason) -> iterator.cancel());
    return iterator;
  }

  @Override
  public boolean hasNext() {
    if (position < rows.size()) {
      return true;
    }
    fill();
    if (inFlight.isEmpty()) {
      return false;
    }
    take();
    return true;
  }

  @Override
  public InternalRow next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    result.rowId = position;
    return toOutput.apply(joined.apply(rows.get(position++), result));
  }

  @Override
  public void close() {
    cancel();
    inFlight.clear();
    rows = List.of();
    results.close();
    arguments.close();
    allocator.close();
  }

  private void cancel() {
    inFlight.forEach(Batch::cancel);
  }

  private void fill() {
    while (inFlight.size() < task.batchesInFlight() && input.hasNext()) {
      submitBatch();
      context.killTaskIfInterrupted();
    }
  }

  private void submitBatch() {
    List<InternalRow> batch = new ArrayList<>();
    while (arguments.rows() < task.batchRows()
        && arguments.bytes() < task.batchBytes()
        && input.hasNext()) {
      InternalRow row = input.next().copy();
      batch.add(row);
      arguments.add(toArguments.apply(row));
    }
    RequestVectors requests = arguments.finish();
    List<Optional<CompletableFuture<GenerationResult>>> futures = new ArrayList<>(batch.size());
    inFlight.add(new Batch(batch, futures));
    for (int row = 0; row < batch.size(); row++) {
      futures.add(submit(requests.read(row)));
    }
    arguments.clear();
    task.metrics().batches().add(1);
  }

  private Optional<CompletableFuture<GenerationResult>> submit(RequestVectors.Row row) {
    if (row instanceof Asked asked) {
      return Optional.of(generator.submit(asked.request()));
    }
    if (row instanceof Refused refused) {
      return Optional.of(
          CompletableFuture.completedFuture(
              new GenerationResult("", FinishReason.ERROR, 0, 0, 0, Optional.of(refused.error()))));
    }
    return Optional.empty();
  }

  /** Waits for the oldest batch and makes its rows the current ones. */
  private void take() {
    Batch oldest = inFlight.getFirst();
    long start = System.nanoTime();
    List<Optional<GenerationResult>> done = new ArrayList<>(oldest.rows().size());
    for (Optional<CompletableFuture<GenerationResult>> future : oldest.results()) {
      done.add(future.map(this::await).flatMap(this::judged));
    }
    task.metrics().waitTime().add(System.nanoTime() - start);
    results.write(done);
    inFlight.removeFirst();
    rows = oldest.rows();
    position = 0;
  }

  private GenerationResult await(CompletableFuture<GenerationResult> future) {
    try {
      return future.get();
    } catch (ExecutionException failed) {
      Platform.throwException(failed.getCause());
    } catch (InterruptedException interrupted) {
      context.killTaskIfInterrupted();
      Platform.throwException(interrupted);
    } catch (CancellationException cancelled) {
      context.killTaskIfInterrupted();
      throw cancelled;
    }
    throw new AssertionError("unreachable");
  }

  private Optional<GenerationResult> judged(GenerationResult ended) {
    task.metrics().add(ended);
    if (ended.error().isEmpty()) {
      return Optional.of(ended);
    }
    return switch (task.onError()) {
      case ROW -> Optional.of(ended);
      case NULL -> Optional.empty();
      case FAIL -> throw new GenerationFailedException(ended.error().get());
    };
  }
}
