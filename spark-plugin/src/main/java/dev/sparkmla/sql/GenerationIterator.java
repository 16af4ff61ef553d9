package dev.sparkmla.sql;

import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.plugin.TextGenerator;
import dev.sparkmla.sql.answer.ValueReader;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ExecutionException;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.JoinedRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.util.ArrowUtils;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.util.TaskCompletionListener;
import org.apache.spark.util.TaskInterruptListener;

/**
 * One task's rows, each joined with its result, in input order.
 *
 * <p><b>Flow.</b> Rows are copied and their arguments written into a request batch; a full one is
 * handed to the engine. A bounded number of batches is in the engine at once: when it is reached,
 * no further row is read until the results of the oldest batch have been passed on.
 *
 * <p><b>Ownership.</b> The task owns the request batch that it fills, until it hands it over, and
 * the result batch whose rows it passes on. Every batch has an allocator of its own, so that the
 * task's end waits for nothing: it cancels what is in flight, and the engine frees what it holds
 * for it. Results that had come before they could be cancelled are the task's, which closes them.
 *
 * <p><b>Threads.</b> The task's thread runs it. When the task is killed, another thread cancels
 * what is in flight, which wakes the task; it touches nothing but the futures.
 */
final class GenerationIterator implements Iterator<InternalRow>, AutoCloseable {
  private final GenerationTask task;
  private final Iterator<InternalRow> input;
  private final TextGenerator generator;
  private final TaskContext context;
  private final RequestWriter requests;
  private final UnsafeProjection toArguments;
  private final UnsafeProjection toOutput;
  private final Optional<ValueReader> values;
  private final JoinedRow joined = new JoinedRow();

  /** The oldest first. Shared with the thread that kills the task. */
  private final ConcurrentLinkedDeque<InFlight> inFlight = new ConcurrentLinkedDeque<>();

  private Optional<Answered> current = Optional.empty();
  private int position;

  /** Rows with their results to be. */
  private record InFlight(List<InternalRow> rows, CompletableFuture<ResultBatch> results) {
    void cancel() {
      results.cancel(true);
    }

    /** Cancels, or closes the results where they have come before that. */
    void giveUp() {
      if (!results.cancel(true) && !results.isCompletedExceptionally()) {
        results.join().close();
      }
    }
  }

  /** Rows with their results. */
  private record Answered(List<InternalRow> rows, ResultBatch results, ResultRows resultRows) {
    InternalRow join(int row, JoinedRow joined) {
      return joined.apply(rows.get(row), resultRows.row(row));
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
    this.requests =
        new RequestWriter(
            task.argumentType(),
            task.onOverflow(),
            task.resultType().answer(),
            task.batchRows(),
            ArrowUtils.rootAllocator());
    this.values = task.resultType().answer().newReader();
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
        (TaskInterruptListener)
            (interrupted, reason) -> iterator.inFlight.forEach(InFlight::cancel));
    return iterator;
  }

  @Override
  public boolean hasNext() {
    if (current.isPresent() && position < current.get().rows().size()) {
      return true;
    }
    closeCurrent();
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
    return toOutput.apply(current.get().join(position++, joined));
  }

  @Override
  public void close() {
    inFlight.forEach(InFlight::giveUp);
    inFlight.clear();
    closeCurrent();
    requests.close();
  }

  private void closeCurrent() {
    current.ifPresent(answered -> answered.results().close());
    current = Optional.empty();
  }

  private void fill() {
    while (inFlight.size() < task.batchesInFlight() && input.hasNext()) {
      submitBatch();
      // After the batch is in flight: a kill that this does not see has seen the batch.
      context.killTaskIfInterrupted();
    }
  }

  private void submitBatch() {
    List<InternalRow> rows = new ArrayList<>();
    while (requests.rows() < task.batchRows()
        && requests.bytes() < task.batchBytes()
        && input.hasNext()) {
      InternalRow row = input.next().copy();
      rows.add(row);
      requests.add(toArguments.apply(row));
    }
    inFlight.add(new InFlight(rows, generator.submit(requests.finish())));
    task.metrics().batches().add(1);
  }

  /** Waits for the oldest batch and makes its rows the current ones. */
  private void take() {
    InFlight oldest = inFlight.getFirst();
    long start = System.nanoTime();
    ResultBatch results = await(oldest.results());
    task.metrics().waitTime().add(System.nanoTime() - start);
    inFlight.removeFirst();
    ResultRows resultRows = new ResultRows(results, task.resultType(), values);
    current = Optional.of(new Answered(oldest.rows(), results, resultRows));
    position = 0;
    task.metrics().add(results);
    judge(results);
  }

  private ResultBatch await(CompletableFuture<ResultBatch> results) {
    try {
      return results.get();
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

  /** Does with rows in error what the call says. */
  private void judge(ResultBatch results) {
    switch (task.onError()) {
      case ROW -> {}
      case NULL -> results.errorRows().forEach(results::setNull);
      case FAIL ->
          results
              .errorRows()
              .findFirst()
              .ifPresent(
                  row -> {
                    throw new GenerationFailedException(results.error(row).orElseThrow());
                  });
    }
  }
}
