package dev.sparkmla.plugin;

import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * A batch whose rows several engines compute. Where one of them fails, so does the batch, and the
 * others' rows are cancelled, as they are when the batch is.
 *
 * <p><b>Ownership.</b> It owns the requests until they are submitted. Each engine gets a copy of
 * its rows, or the requests themselves where it gets all of them.
 */
final class SharedBatch {
  private final RequestBatch requests;
  private final Consumer<ResultBatch> ended;
  private final List<Part> parts = new ArrayList<>();

  /** The rows of an engine, ascending. */
  private record Part(EngineSlot engine, int[] rows) {}

  SharedBatch(RequestBatch requests, Consumer<ResultBatch> ended) {
    this.requests = requests;
    this.ended = ended;
  }

  /** Gives rows to an engine; no rows are none. */
  void add(EngineSlot engine, int[] rows) {
    if (rows.length > 0) {
      parts.add(new Part(engine, rows));
    }
  }

  /** Submits all parts, as {@link TextGenerator#submit} does; every row is in one of them. */
  CompletableFuture<Void> submit() {
    if (parts.size() == 1) {
      return parts.get(0).engine().submit(requests, ended);
    }
    List<RequestBatch> batches = copies();
    CompletableFuture<Void> whole = new CompletableFuture<>();
    List<CompletableFuture<Void>> ends = new ArrayList<>();
    for (int i = 0; i < parts.size(); i++) {
      int[] rows = parts.get(i).rows();
      ends.add(parts.get(i).engine().submit(batches.get(i), results -> deliver(results, rows)));
    }
    join(ends, whole);
    return whole;
  }

  private List<RequestBatch> copies() {
    List<RequestBatch> copies = new ArrayList<>();
    try (requests) {
      for (Part part : parts) {
        copies.add(requests.copyOf(part.rows()));
      }
      return copies;
    } catch (RuntimeException | Error problem) {
      copies.forEach(RequestBatch::close);
      throw problem;
    }
  }

  /** The consumer gets the results of one engine at a time. */
  private synchronized void deliver(ResultBatch results, int[] rows) {
    results.renumber(rows);
    ended.accept(results);
  }

  @SuppressWarnings("FutureReturnValueIgnored") // What depends on the ends here cannot fail.
  private static void join(List<CompletableFuture<Void>> ends, CompletableFuture<Void> whole) {
    for (CompletableFuture<Void> end : ends) {
      end.whenComplete(
          (none, failure) -> {
            if (failure != null) {
              whole.completeExceptionally(failure);
            }
          });
    }
    CompletableFuture.allOf(ends.toArray(CompletableFuture[]::new))
        .thenRun(() -> whole.complete(null));
    whole.whenComplete(
        (none, failure) -> {
          if (failure != null) {
            ends.forEach(end -> end.cancel(true));
          }
        });
  }
}
