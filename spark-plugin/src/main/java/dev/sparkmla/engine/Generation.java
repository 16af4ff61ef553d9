package dev.sparkmla.engine;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationError;
import dev.sparkmla.arrow.GenerationResult;
import java.util.Optional;
import java.util.Set;

/**
 * A row that is being generated: its sequence, its text, and its place in its batch. Once it is in
 * the queue, it belongs to the stepping thread.
 */
final class Generation {
  private final GenerationBatch batch;
  private final int row;
  private final Sequence sequence;
  private final OutputText output;
  private final Set<Integer> endTokens;

  /**
   * @param batch gets the result
   * @param row its number in the batch
   * @param endTokens tokens that end the generation
   */
  Generation(
      GenerationBatch batch,
      int row,
      Sequence sequence,
      OutputText output,
      Set<Integer> endTokens) {
    this.batch = batch;
    this.row = row;
    this.sequence = sequence;
    this.output = output;
    this.endTokens = endTokens;
  }

  GenerationBatch batch() {
    return batch;
  }

  Sequence sequence() {
    return sequence;
  }

  /**
   * Takes in the token that the sequence got last.
   *
   * @return whether that was the end, and the batch has the result
   */
  boolean advance() {
    int token = sequence.tokens()[sequence.length() - 1];
    if (endTokens.contains(token)) {
      output.end(token);
      end(FinishReason.STOP, Optional.empty());
    } else if (sequence.isAnswerLost()) {
      fail(
          ErrorCode.NUMERICAL_ERROR,
          "After "
              + (sequence.outputTokens() - 1)
              + " tokens the answer can neither go on nor end: the logits of all tokens that may"
              + " follow are minus infinity.");
    } else if (output.append(token)) {
      end(FinishReason.STOP, Optional.empty());
    } else if (sequence.isAnswerOver()) {
      output.finish();
      end(FinishReason.STOP, Optional.empty());
    } else if (sequence.outputTokens() == sequence.maxTokens()) {
      end(output.finish() ? FinishReason.STOP : FinishReason.LENGTH, Optional.empty());
    } else {
      return false;
    }
    return true;
  }

  /** Ends the row in error. */
  void fail(ErrorCode code, String message) {
    end(FinishReason.ERROR, Optional.of(new GenerationError(code, message)));
  }

  private void end(FinishReason reason, Optional<GenerationError> error) {
    batch.set(
        row,
        Optional.of(
            new GenerationResult(
                error.isPresent() ? "" : output.text(),
                error.isPresent() ? Optional.empty() : output.reasoning(),
                reason,
                sequence.promptTokens(),
                sequence.cachedTokens(),
                sequence.outputTokens(),
                error)));
  }
}
