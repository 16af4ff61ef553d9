package dev.sparkmla.engine;

import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/** A request that is being generated: its sequence, its text, and the future it is owed. */
final class Generation {
  private final Sequence sequence;
  private final OutputText output;
  private final Set<Integer> endTokens;
  private final CompletableFuture<GenerationResult> future = new CompletableFuture<>();

  Generation(Sequence sequence, OutputText output, Set<Integer> endTokens) {
    this.sequence = sequence;
    this.output = output;
    this.endTokens = endTokens;
  }

  Sequence sequence() {
    return sequence;
  }

  CompletableFuture<GenerationResult> future() {
    return future;
  }

  /** Takes in the token the sequence got last, and returns the result if that was the end. */
  Optional<GenerationResult> advance() {
    int token = sequence.tokens()[sequence.length() - 1];
    if (endTokens.contains(token)) {
      output.finish();
      return Optional.of(result(FinishReason.STOP));
    }
    if (output.append(token)) {
      return Optional.of(result(FinishReason.STOP));
    }
    if (sequence.outputTokens() == sequence.maxTokens()) {
      return Optional.of(result(output.finish() ? FinishReason.STOP : FinishReason.LENGTH));
    }
    return Optional.empty();
  }

  private GenerationResult result(FinishReason reason) {
    return new GenerationResult(
        output.text(),
        reason,
        sequence.promptTokens(),
        sequence.cachedTokens(),
        sequence.outputTokens(),
        Optional.empty());
  }
}
