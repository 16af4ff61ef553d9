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
 * One task's rows, each joined with its result, in input order.
 *
 * <p><b>Flow.</b> Rows are copied, their arguments written into a request batch, and the batch
 * handed to the engine, as many rows as the engine wants of this task ({@link RowDemand}). So it
 * never waits for a row, and its rows that wait are few. Their results come as the rows end, in any
 * order. Those of the next rows are passed on at once; others wait in a {@link RowWindow}, which
 * bounds the memory of all. While a row holds up those behind it, the engine gets further rows, and
 * what waits may go to disk; while it is the reader of these rows that is slow, it gets none.
 *
 * <p><b>Ownership.</b> The task owns the request batch that it fills, until it hands it over, and
 * result batches from the time they come. Every batch has an allocator of its own, so that the
 * task's end waits for nothing: it cancels what is in flight, and the engine frees what it holds
 * for it. Results that come all the same are closed as they come.
 *
 * <p><b>Threads.</b> The task's thread runs it. The engine's threads put results into the inbox.
 * When the task is killed, another thread cancels what is in flight and wakes the task; it touches
 * nothing but futures and inbox.
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

  /** Rows read, and so the number of the next one. */
  private long read;

  /** Rows passed on, and so the number of the one to be passed on next. */
  private long passed;

  /** Results of the next rows; at most one of this and {@link #waited} is there. */
  private Optional<Answered> current = Optional.empty();

  /** The next row, where it has waited. */
  private Optional<UnsafeRow> waited = Optional.empty();

  /** Rows that follow one another, with their results. */
  private record Answered(RowBatch batch, ResultBatch results, ResultRows resultRows, int start) {
    static Answered of(RowBatch batch, ResultBatch results, ResultRows resultRows) {
      return new Answered(batch, results, resultRows, results.number(0));
    }

    /** Whether the results are of rows that follow one another, from row {@code next} on. */
    boolean follows(long next) {
      int last = results.rows() - 1;
      return batch.first() + start == next && results.number(last) == start + last;
    }

    /** The number of the row after the last. */
    long end() {
      return batch.first() + start + results.rows();
    }

    /** A row with its result, once. */
    InternalRow join(int row, JoinedRow joined) {
      return joined.apply(batch.take(results.number(row)), resultRows.row(row));
    }

    /** Bytes that the input rows take, which follow one another. */
    long bytes() {
      return batch.bytes(start, start + results.rows());
    }

    /** Bytes that a row's input row takes. */
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
        new RequestWriter(
            task.argumentType(),
            task.onOverflow(),
            task.resultType().answer(),
            task.batchRows(),
            ArrowUtils.rootAllocator());
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
   * Starts on a task's rows.
   *
   * @param partition the task's partition
   * @param demand how many rows the generator's tasks should submit
   * @param context ends with the task
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
    window.close();
    requests.close();
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
   * Submits a batch of the rows that the engine wants, as many as there is room for.
   *
   * @return whether there were any
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

  /** Reads one row or more, until there are so many or they take so many bytes. */
  private RowBatch readBatch(int most, long mostBytes) {
    List<UnsafeRow> rows = new ArrayList<>(most);
    long bytes = 0;
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

  /** Takes in results that came, and says whether the next row is among all that have come. */
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

  /** Makes results the current ones, where they are the next rows', or lets them wait. */
  private void take(RowBatch batch, ResultBatch results) {
    ResultRows resultRows = new ResultRows(results, task.resultType(), values);
    Answered answered = Answered.of(batch, results, resultRows);
    current = Optional.of(answered); // It is closed from here on, whatever happens.
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
