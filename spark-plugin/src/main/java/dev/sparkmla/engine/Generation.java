package dev.sparkmla.engine;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationError;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.TokenLogprobs;
import dev.sparkmla.compute.Logprobs;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * A variant of a row that is being generated: its sequence, its text, and its place in its batch.
 * Once it is in the queue, it belongs to the stepping thread.
 */
final class Generation {
  private final GenerationBatch batch;
  private final int row;
  private final int variant;
  private final Sequence sequence;
  private final OutputText output;
  private final Set<Integer> endTokens;
  private final Vocabulary vocabulary;

  /**
   * @param batch gets the result
   * @param row the row's number in the batch
   * @param variant which of the row's variants it is
   * @param endTokens tokens that end the generation
   * @param vocabulary spells tokens whose log probabilities are reported
   */
  Generation(
      GenerationBatch batch,
      int row,
      int variant,
      Sequence sequence,
      OutputText output,
      Set<Integer> endTokens,
      Vocabulary vocabulary) {
    this.batch = batch;
    this.row = row;
    this.variant = variant;
    this.sequence = sequence;
    this.output = output;
    this.endTokens = endTokens;
    this.vocabulary = vocabulary;
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

  /**
   * Ends the variant where no token is left to choose that its constraint admits: its answer is
   * whole there, or it is in error.
   */
  void stop() {
    if (sequence.mayAnswerEnd()) {
      output.finish();
      end(FinishReason.STOP, Optional.empty());
    } else {
      fail(
          ErrorCode.INVALID_PARAMETER,
          "After "
              + sequence.outputTokens()
              + " tokens, response_format needs a token that other parameters forbid, such as"
              + " bad_words or min_tokens: the answer can neither go on nor end.");
    }
  }

  /** Ends the variant, and so the row, in error. */
  void fail(ErrorCode code, String message) {
    end(FinishReason.ERROR, Optional.of(new GenerationError(code, message)));
  }

  private void end(FinishReason reason, Optional<GenerationError> error) {
    batch.set(
        row,
        variant,
        new GenerationResult(
            error.isPresent() ? "" : output.text(),
            error.isPresent() ? Optional.empty() : output.reasoning(),
            reason,
            sequence.promptTokens(),
            sequence.cachedTokens(),
            sequence.outputTokens(),
            error.isPresent() ? Optional.empty() : logprobs(),
            error));
  }

  private Optional<List<TokenLogprobs>> logprobs() {
    if (!sequence.reportsLogprobs()) {
      return Optional.empty();
    }
    int[] tokens = sequence.output();
    List<Logprobs> reported = sequence.logprobs();
    return Optional.of(
        IntStream.range(0, tokens.length)
            .mapToObj(
                i ->
                    new TokenLogprobs(
                        candidate(tokens[i], reported.get(i).chosen()),
                        reported.get(i).likeliest().stream()
                            .map(likely -> candidate(likely.token(), likely.logprob()))
                            .toList()))
            .toList());
  }

  private TokenLogprobs.Candidate candidate(int token, float logprob) {
    return new TokenLogprobs.Candidate(token, vocabulary.text(token), logprob);
  }
}
