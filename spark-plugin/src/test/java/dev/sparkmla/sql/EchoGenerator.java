package dev.sparkmla.sql;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationError;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.plugin.TextGenerator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.arrow.memory.BufferAllocator;

/**
 * Answers a prompt p with {@code <p>}, an empty one with an error, and keeps what it was asked. A
 * test may put another answer in place, a row at a time; rows that are answered at once are
 * delivered together.
 */
final class EchoGenerator implements TextGenerator {
  static final int SEQUENCES = 6;

  static final EchoGenerator INSTANCE = new EchoGenerator();

  private final List<GenerationRequest> requests = new ArrayList<>();
  private Function<GenerationRequest, CompletableFuture<GenerationResult>> answer =
      request -> CompletableFuture.completedFuture(echo(request));

  @Override
  public CompletableFuture<Void> submit(RequestBatch batch, Consumer<ResultBatch> ended) {
    try (batch) {
      return answer(
          IntStream.range(0, batch.rows()).mapToObj(batch::request).toList(),
          batch.parentAllocator(),
          ended);
    }
  }

  @Override
  public int maxSequences() {
    return SEQUENCES;
  }

  private synchronized CompletableFuture<Void> answer(
      List<Optional<GenerationRequest>> rows, BufferAllocator parent, Consumer<ResultBatch> ended) {
    rows.stream().flatMap(Optional::stream).forEach(requests::add);
    List<CompletableFuture<List<GenerationResult>>> answers = new ArrayList<>();
    List<CompletableFuture<GenerationResult>> asked = new ArrayList<>();
    for (Optional<GenerationRequest> row : rows) {
      if (row.isEmpty()) {
        answers.add(CompletableFuture.completedFuture(List.of()));
      } else {
        asked.add(answer.apply(row.get()));
        answers.add(asked.get(asked.size() - 1).thenApply(result -> variants(row.get(), result)));
      }
    }
    int[] answered =
        IntStream.range(0, rows.size())
            .filter(
                row -> answers.get(row).isDone() && !answers.get(row).isCompletedExceptionally())
            .toArray();
    if (answered.length > 0) {
      ended.accept(
          ResultBatch.of(
              answered,
              Arrays.stream(answered).mapToObj(row -> answers.get(row).join()).toList(),
              parent));
    }
    AtomicInteger missing = new AtomicInteger(rows.size() - answered.length);
    CompletableFuture<Void> end = new CompletableFuture<>();
    for (int i = 0; i < answers.size(); i++) {
      int row = i;
      if (Arrays.binarySearch(answered, row) < 0) {
        answers
            .get(row)
            .whenComplete(
                (results, failure) -> {
                  if (failure != null) {
                    end.completeExceptionally(
                        failure.getCause() == null ? failure : failure.getCause());
                    return;
                  }
                  ended.accept(ResultBatch.of(new int[] {row}, List.of(results), parent));
                  if (missing.decrementAndGet() == 0) {
                    end.complete(null);
                  }
                });
      }
    }
    if (missing.get() == 0) {
      end.complete(null);
    }
    end.whenComplete((all, failure) -> asked.forEach(answer -> answer.cancel(true)));
    return end;
  }

  /** As many variants as are asked for, all alike. */
  private static List<GenerationResult> variants(
      GenerationRequest request, GenerationResult result) {
    return Collections.nCopies(Integer.parseInt(request.params().getOrDefault("n", "1")), result);
  }

  @Override
  public EngineStatistics statistics() {
    return EngineStatistics.NONE;
  }

  @Override
  public void close() {}

  /** Forgets what it was asked and answers as usual. */
  synchronized void reset() {
    requests.clear();
    answer = request -> CompletableFuture.completedFuture(echo(request));
  }

  synchronized void answerWith(
      Function<GenerationRequest, CompletableFuture<GenerationResult>> other) {
    answer = other;
  }

  synchronized List<GenerationRequest> requests() {
    return List.copyOf(requests);
  }

  static GenerationResult echo(GenerationRequest request) {
    String prompt = text(request);
    if (prompt.isEmpty()) {
      return GenerationResult.refused(
          new GenerationError(ErrorCode.EMPTY_PROMPT, "the prompt holds no text"));
    }
    return new GenerationResult(
        "<" + prompt + ">",
        Optional.empty(),
        FinishReason.STOP,
        prompt.length(),
        1,
        2,
        Optional.empty());
  }

  static String text(GenerationRequest request) {
    return request.prompt() instanceof Prompt.Raw raw
        ? raw.text()
        : ((Prompt.Chat) request.prompt())
            .messages().stream()
                .map(message -> message.role() + ":" + message.content())
                .collect(Collectors.joining("|"));
  }
}
