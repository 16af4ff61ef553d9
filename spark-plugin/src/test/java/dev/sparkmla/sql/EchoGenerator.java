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
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.arrow.memory.BufferAllocator;

/**
 * Answers a prompt p with {@code <p>}, an empty one with an error, and keeps what it was asked. A
 * test may put another answer in place, a row at a time.
 */
final class EchoGenerator implements TextGenerator {
  static final EchoGenerator INSTANCE = new EchoGenerator();

  private final List<GenerationRequest> requests = new ArrayList<>();
  private Function<GenerationRequest, CompletableFuture<GenerationResult>> answer =
      request -> CompletableFuture.completedFuture(echo(request));

  @Override
  public CompletableFuture<ResultBatch> submit(RequestBatch batch) {
    try (batch) {
      return answer(
          IntStream.range(0, batch.rows()).mapToObj(batch::request).toList(),
          batch.parentAllocator());
    }
  }

  private synchronized CompletableFuture<ResultBatch> answer(
      List<Optional<GenerationRequest>> rows, BufferAllocator parent) {
    rows.stream().flatMap(Optional::stream).forEach(requests::add);
    List<Optional<CompletableFuture<GenerationResult>>> answers =
        rows.stream().map(row -> row.map(answer)).toList();
    CompletableFuture<ResultBatch> results = new CompletableFuture<>();
    results.whenComplete(
        (batch, failure) ->
            answers.stream().flatMap(Optional::stream).forEach(answer -> answer.cancel(true)));
    CompletableFuture.allOf(
            answers.stream().flatMap(Optional::stream).toArray(CompletableFuture[]::new))
        .whenComplete(
            (all, failure) -> {
              if (failure != null) {
                results.completeExceptionally(
                    failure.getCause() == null ? failure : failure.getCause());
                return;
              }
              ResultBatch whole =
                  ResultBatch.of(
                      IntStream.range(0, rows.size())
                          .mapToObj(row -> variants(rows.get(row), answers.get(row)))
                          .toList(),
                      parent);
              if (!results.complete(whole)) {
                whole.close();
              }
            });
    return results;
  }

  /** As many variants as are asked for, all alike. */
  private static List<GenerationResult> variants(
      Optional<GenerationRequest> row, Optional<CompletableFuture<GenerationResult>> answer) {
    return row.isEmpty()
        ? List.of()
        : Collections.nCopies(
            Integer.parseInt(row.get().params().getOrDefault("n", "1")), answer.get().join());
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
