package dev.sparkmla.sql;

import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.plugin.RowDemand;
import dev.sparkmla.plugin.TextGenerator;
import dev.sparkmla.sql.answer.ValueReader;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.JoinedRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.util.ArrowUtils;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.util.TaskCompletionListener;
import org.apache.spark.util.TaskInterruptListener;

/**
 * The rows of one task, each joined with its result, in input order.
 *
 * <p><b>Flow.</b> The task copies input rows, writes their arguments into a request batch and
 * submits the batch to the engine. {@link RowDemand} says how many rows: enough that the engine
 * never waits for a row, and no more. Results come as rows end, in any order. Results of the next
 * rows are passed on at once; others wait in a {@link RowWindow}, which bounds the memory of all
 * rows. While one slow row holds up later ones, the engine still gets further rows, and waiting
 * rows may be written to disk. While the consumer of this iterator is slow, the engine gets no
 * further rows.
 *
 * <p><b>Ownership.</b> The task owns a request batch until it submits it, and result batches as
 * soon as they come. Every batch has its own allocator, so the end of a task does not have to wait:
 * it cancels the batches in flight, and the engine frees those that it owns. Results that come
 * later are closed when they come.
 *
 * <p><b>Threads.</b> The task's thread calls the iterator. The engine's threads add results to the
 * inbox. When the task is killed, another thread cancels the batches in flight and wakes the task;
 * that thread uses only the futures and the inbox.
 */
final class GenerationIterator implements Iterator<InternalRow>, AutoCloseable {
  private final GenerationTask task;
  private final Iterator<InternalRow> input;
  private final TextGenerator generator;
  private final TaskContext context;
  private final RequestWriter requests;
  private final UnsafeProjection toInput;
  private final UnsafeProjection toArguments;
  private final UnsafeProjection toOutput;
  private final Optional<ValueReader> values;
  private final JoinedRow joined = new JoinedRow();
  private final ResultInbox inbox = new ResultInbox();
  private final RowDemand.Share share;
  private final RowWindow window;

  /** Shared with the thread that kills the task. */
  private final Set<CompletableFuture<Void>> inFlight = ConcurrentHashMap.newKeySet();

  /** How many rows were read, which is the number of the next one. */
  private long read;

  /** How many rows were passed on, which is the number of the next one to pass on. */
  private long passed;

  /** Results of the next rows; at most one of this and {@link #waited} is present. */
  private Optional<Answered> current = Optional.empty();

  /** The next row, if it comes from the window. */
  private Optional<UnsafeRow> waited = Optional.empty();

  /** Results that came together, with their rows. */
  private record Answered(RowBatch batch, ResultBatch results, ResultRows resultRows, int start) {
    static Answered of(RowBatch batch, ResultBatch results, ResultRows resultRows) {
      return new Answered(batch, results, resultRows, results.number(0));
    }

    /** Whether the results are those of adjacent rows from row {@code next} on. */
    boolean follows(long next) {
      int last = results.rows() - 1;
      return batch.first() + start == next && results.number(last) == start + last;
    }

    /** The number of the row after the last. */
    long end() {
      return batch.first() + start + results.rows();
    }

    /** A row joined with its result; each row may be joined once. */
    InternalRow join(int row, JoinedRow joined) {
      return joined.apply(batch.take(results.number(row)), resultRows.row(row));
    }

    /** How many bytes the input rows take, where they are adjacent. */
    long bytes() {
      return batch.bytes(start, start + results.rows());
    }

    /** How many bytes the input row of a result takes. */
    long bytes(int row) {
      int number = results.number(row);
      return batch.bytes(number, number + 1);
    }
  }

  private GenerationIterator(
      GenerationTask task,
      int partition,
      Iterator<InternalRow> input,
      TextGenerator generator,
      RowDemand demand,
      TaskContext context) {
    this.task = task;
    this.input = input;
    this.generator = generator;
    this.context = context;
    this.toInput = task.toInput();
    this.toArguments = task.toArguments();
    this.toArguments.initialize(partition);
    this.toOutput = task.toOutput();
    this.requests =
        new RequestWriter(task.argumentType(), task.common(), ArrowUtils.rootAllocator());
    this.values = task.resultType().answer().newReader();
    this.window =
        new RowWindow(
            context.taskMemoryManager(),
            task.windowBytes(),
            task.outputColumns(),
            context.taskMetrics());
    this.share = demand.join(inbox::wake);
  }

  /**
   * Makes the iterator of a task and registers it to be closed when the task ends, and cancelled
   * when it is killed.
   *
   * @param partition the task's partition
   * @param demand decides how many rows the tasks of the executor submit
   * @param context the task's
   */
  static Iterator<InternalRow> open(
      GenerationTask task,
      int partition,
      Iterator<InternalRow> input,
      TextGenerator generator,
      RowDemand demand,
      TaskContext context) {
    GenerationIterator iterator =
        new GenerationIterator(task, partition, input, generator, demand, context);
    context.addTaskCompletionListener((TaskCompletionListener) ended -> iterator.close());
    context.addTaskInterruptListener(
        (TaskInterruptListener) (interrupted, reason) -> iterator.cancel());
    return iterator;
  }

  @Override
  public boolean hasNext() {
    if (waited.isPresent() || current.isPresent() && passed < current.get().end()) {
      return true;
    }
    closeCurrent();
    if (!window.isCrowded()) {
      submit();
    }
    while (!isNextReady()) {
      if (passed == read && !hasInput()) {
        return false;
      }
      if (!submit()) {
        await();
      }
    }
    return true;
  }

  @Override
  public InternalRow next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    if (waited.isPresent()) {
      UnsafeRow row = waited.get();
      waited = Optional.empty();
      passed++;
      return row;
    }
    Answered answered = current.get();
    int row = (int) (passed - answered.batch().first()) - answered.start();
    passed++;
    return toOutput.apply(answered.join(row, joined));
  }

  private void cancel() {
    inFlight.forEach(future -> future.cancel(true));
    inbox.wake();
  }

  @Override
  public void close() {
    cancel();
    inbox.close();
    share.close();
    current.ifPresent(answered -> answered.results().close());
    current = Optional.empty();
    requests.close();
    window.close(); // last, since it reads files and may fail
  }

  private void closeCurrent() {
    current.ifPresent(
        answered -> {
          window.leave(answered.bytes());
          answered.results().close();
        });
    current = Optional.empty();
  }

  private boolean hasInput() {
    boolean more = input.hasNext();
    if (!more) {
      share.finish();
    }
    return more;
  }

  /**
   * Submits one batch, of as many rows as the engine wants and the window has room for.
   *
   * @return whether a batch was submitted
   */
  private boolean submit() {
    int wanted = Math.min(share.wanted(), task.batchRows());
    long room = window.room();
    if (wanted == 0 || passed < read && room <= 0 || !hasInput()) {
      return false;
    }
    RowBatch batch = readBatch(wanted, Math.min(room, task.batchBytes()));
    window.enter(batch.bytes());
    share.submitted(batch.size());
    CompletableFuture<Void> end =
        generator.submit(
            requests.finish(),
            results -> {
              share.ended(results.rows());
              inbox.add(new ResultInbox.Results(batch, results));
            });
    inFlight.add(end);
    noticeEnd(end);
    task.metrics().batches().add(1);
    // After the batch is in flight: a kill that this does not see has seen the batch.
    context.killTaskIfInterrupted();
    return true;
  }

  /**
   * Reads rows, at least one, until there are {@code most} of them or they take {@code mostBytes}.
   */
  private RowBatch readBatch(int most, long mostBytes) {
    List<UnsafeRow> rows = new ArrayList<>(most);
    long bytes = 0;
    requests.begin(most);
    do {
      InternalRow row = input.next();
      UnsafeRow copy = (row instanceof UnsafeRow binary ? binary : toInput.apply(row)).copy();
      rows.add(copy);
      UnsafeRow arguments = toArguments.apply(copy);
      requests.add(arguments);
      bytes += RowWindow.bytes(copy) + arguments.getSizeInBytes();
    } while (rows.size() < most && bytes < mostBytes && input.hasNext());
    RowBatch batch = new RowBatch(read, rows, bytes);
    read += rows.size();
    return batch;
  }

  @SuppressWarnings("FutureReturnValueIgnored") // What depends on the end here cannot fail.
  private void noticeEnd(CompletableFuture<Void> end) {
    end.whenComplete(
        (all, failure) -> {
          inFlight.remove(end);
          if (failure != null) {
            inbox.fail(failure);
          }
        });
  }

  /**
   * Takes results from the inbox until the next row is among them, and says whether that row is
   * ready.
   */
  private boolean isNextReady() {
    inbox
        .failure()
        .ifPresent(
            failure -> {
              context.killTaskIfInterrupted();
              Platform.throwException(failure);
            });
    while (current.isEmpty()) {
      Optional<ResultInbox.Results> came = inbox.poll();
      if (came.isEmpty()) {
        break;
      }
      take(came.get().batch(), came.get().results());
    }
    if (current.isEmpty()) {
      waited = window.take(passed);
    }
    return current.isPresent() || waited.isPresent();
  }

  /**
   * Makes results the current ones if they are those of the next rows; otherwise moves them to the
   * window.
   */
  private void take(RowBatch batch, ResultBatch results) {
    ResultRows resultRows = new ResultRows(results, task.resultType(), values);
    Answered answered = Answered.of(batch, results, resultRows);
    current = Optional.of(answered); // So that they are closed, whatever happens.
    task.metrics().add(results);
    judge(results);
    if (answered.follows(passed)) {
      return;
    }
    for (int row = 0; row < results.rows(); row++) {
      UnsafeRow output = toOutput.apply(answered.join(row, joined)).copy();
      window.leave(answered.bytes(row));
      window.add(batch.first() + results.number(row), output);
    }
    results.close();
    current = Optional.empty();
  }

  private void await() {
    long start = System.nanoTime();
    try {
      inbox.await();
    } catch (InterruptedException interrupted) {
      context.killTaskIfInterrupted();
      Platform.throwException(interrupted);
    } finally {
      task.metrics().waitTime().add(System.nanoTime() - start);
    }
    context.killTaskIfInterrupted();
  }

  /** Treats rows in error as the call's {@code on_error} says. */
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
