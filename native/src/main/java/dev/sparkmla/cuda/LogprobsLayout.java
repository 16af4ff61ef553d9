package dev.sparkmla.cuda;

import dev.sparkmla.policy.Sampling;
import java.lang.annotation.Native;

/**
 * The layout of what {@link RowOperations#logprobs} reports of one row, in int32 words: the chosen
 * token's log probability, then id and log probability of each of the likeliest tokens. {@code
 * SPARK_MLA_LOGPROB_WORDS} of spark_mla_ops.h; jni_operations.cpp does not compile where it
 * differs.
 */
public final class LogprobsLayout {
  /** The most of the likeliest tokens of a row. */
  @Native public static final int MOST_LIKELIEST = Sampling.MOST_LOGPROBS;

  /** Words of a row. */
  @Native public static final int WORDS = 1 + 2 * MOST_LIKELIEST;

  /** In place of an id, where the vocabulary has no more tokens. */
  @Native public static final int NO_TOKEN = -1;

  private LogprobsLayout() {}

  /** The log probability of the chosen token of a row that begins at {@code at}. */
  public static float chosen(int[] words, int at) {
    return Float.intBitsToFloat(words[at]);
  }

  /** The id of one of a row's likeliest tokens, counted from 0, or {@link #NO_TOKEN}. */
  public static int token(int[] words, int at, int index) {
    return words[at + 1 + 2 * index];
  }

  /** The log probability of one of a row's likeliest tokens, counted from 0. */
  public static float logprob(int[] words, int at, int index) {
    return Float.intBitsToFloat(words[at + 2 + 2 * index]);
  }
}
