package dev.sparkmla.compute.cpu;

import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.util.BitSet;
import java.util.List;

/** Does to a row of logits what {@link LogitsProcessing} and a constraint say, in float32. */
final class LogitsProcessor {
  private final float[] logits;
  private final LogitsProcessing how;
  private final int[] history;
  private final int index;

  /**
   * @param logits are replaced
   * @param history prompt and output up to now
   */
  LogitsProcessor(float[] logits, Sampling sampling, int[] history) {
    this.logits = logits;
    this.how = sampling.processing();
    this.history = history;
    this.index = sampling.index();
  }

  void run() {
    how.bias()
        .forEach(
            (token, bias) -> {
              if (exists(token)) {
                logits[token] += bias;
              }
            });
    if (how.penalizes()) {
      penalize();
    }
    for (List<Integer> word : how.badWords()) {
      if (endsWithAllButTheLast(word)) {
        suppress(word.get(word.size() - 1));
      }
    }
    if (how.suppressesEnd(index)) {
      how.endTokens().forEach(this::suppress);
    }
  }

  /**
   * Suppresses what a constraint does not let pass.
   *
   * @param position how far the answer is
   */
  void constrain(AllowedTokens allowed, long position) {
    if (position == Constraint.UNARMED) {
      how.endTokens().forEach(this::suppress);
    } else if (position != ByteAutomaton.DEAD) { // else the row ends, whatever is chosen
      BitSet tokens = allowed.at(position);
      if (allowed.constraint().mayEnd(position)) {
        tokens = (BitSet) tokens.clone();
        how.endTokens().forEach(tokens::set);
      }
      for (int token = 0; token < logits.length; token++) {
        if (!tokens.get(token)) {
          suppress(token);
        }
      }
    }
  }

  private void penalize() {
    boolean[] seen = new boolean[logits.length];
    int[] counts = new int[logits.length];
    int outputs = Math.max(0, history.length - index);
    for (int i = 0; i < history.length; i++) {
      if (exists(history[i])) {
        seen[history[i]] = true;
        counts[history[i]] += i >= outputs ? 1 : 0;
      }
    }
    for (int token = 0; token < logits.length; token++) {
      if (seen[token]) {
        float logit = logits[token];
        logit = logit > 0 ? logit / how.repetitionPenalty() : logit * how.repetitionPenalty();
        logit -= how.frequencyPenalty() * counts[token];
        logits[token] = logit - (counts[token] > 0 ? how.presencePenalty() : 0);
      }
    }
  }

  private boolean endsWithAllButTheLast(List<Integer> word) {
    int first = history.length - (word.size() - 1);
    if (first < 0) {
      return false;
    }
    for (int i = 0; i < word.size() - 1; i++) {
      if (history[first + i] != word.get(i)) {
        return false;
      }
    }
    return true;
  }

  private void suppress(int token) {
    if (exists(token)) {
      logits[token] = Float.NEGATIVE_INFINITY;
    }
  }

  private boolean exists(int token) {
    return token >= 0 && token < logits.length;
  }
}
