package dev.sparkmla.sql;

import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.ErrorCode;
import dev.sparkmla.engine.FinishReason;
import dev.sparkmla.engine.GenerationError;
import dev.sparkmla.engine.GenerationRequest;
import dev.sparkmla.engine.GenerationResult;
import dev.sparkmla.engine.Prompt;
import dev.sparkmla.plugin.TextGenerator;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Answers a prompt p with {@code <p>}, an empty one with an error, and keeps what it was asked. A
 * test may put another answer in place.
 */
final class EchoGenerator implements TextGenerator {
  static final EchoGenerator INSTANCE = new EchoGenerator();

  private final List<GenerationRequest> requests = new ArrayList<>();
  private Function<GenerationRequest, CompletableFuture<GenerationResult>> answer =
      request -> CompletableFuture.completedFuture(echo(request));

  @Override
  public synchronized CompletableFuture<GenerationResult> submit(GenerationRequest request) {
    requests.add(request);
    return answer.apply(request);
  }

  @Override
  public synchronized EngineStatistics statistics() {
    return new EngineStatistics(0, 0, requests.size(), 0, 0, 0, 0, 0, 0, 1, 1);
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
      return new GenerationResult(
          "",
          FinishReason.ERROR,
          0,
          0,
          0,
          Optional.of(new GenerationError(ErrorCode.EMPTY_PROMPT, "the prompt holds no text")));
    }
    return new GenerationResult(
        "<" + prompt + ">", FinishReason.STOP, prompt.length(), 1, 2, Optional.empty());
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
