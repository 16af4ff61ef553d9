package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Logprobs;
import java.util.ArrayList;
import java.util.List;

/** Log probabilities of a row of logits, {@code logit - log(sum(exp(logits)))}, in float64. */
final class LogSoftmax {
  private final float[] logits;
  private final double normalizer;

  /**
   * @param logits neither NaN nor positive infinity; not copied
   */
  LogSoftmax(float[] logits) {
    this.logits = logits;
    float largest = Float.NEGATIVE_INFINITY;
    for (float logit : logits) {
      largest = Math.max(largest, logit);
    }
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp((double) logit - largest);
    }
    this.normalizer = largest + Math.log(sum);
  }

  /**
   * Log probabilities of a token and of the likeliest ones.
   *
   * @param count how many of these
   */
  Logprobs logprobs(int token, int count) {
    List<Logprobs.Likely> likeliest = new ArrayList<>();
    for (int id : largest(Math.min(count, logits.length))) {
      likeliest.add(new Logprobs.Likely(id, logprob(id)));
    }
    return new Logprobs(logprob(token), likeliest);
  }

  private float logprob(int token) {
    return (float) (logits[token] - normalizer);
  }

  /** The ids of the largest logits, the largest first and the lower id first among equals. */
  private int[] largest(int count) {
    int[] ids = new int[count];
    int found = 0;
    for (int id = 0; id < logits.length; id++) {
      int place = found;
      while (place > 0 && logits[id] > logits[ids[place - 1]]) {
        place--;
      }
      if (place < count) {
        found = Math.min(found + 1, count);
        System.arraycopy(ids, place, ids, place + 1, found - 1 - place);
        ids[place] = id;
      }
    }
    return ids;
  }
}
