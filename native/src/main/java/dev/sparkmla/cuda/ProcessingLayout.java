package dev.sparkmla.cuda;

import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.lang.annotation.Native;
import java.nio.IntBuffer;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * The layout of what is done to one row's logits on its way to {@link RowOperations#processLogits}:
 * the struct spark_mla_processing of spark_mla_ops.h as int32 words, and the lists of token ids
 * that it says the places of. The constants are word offsets; jni_operations.cpp does not compile
 * where the struct differs.
 */
public final class ProcessingLayout {
  /** Words of a row without its lists. */
  @Native public static final int WORDS = 18;

  /** The most words of a row's lists. */
  public static final int MOST_LIST_WORDS = 2 * LogitsProcessing.MOST_IDS + 1;

  @Native private static final int HISTORY = 0;
  @Native private static final int OUTPUTS = 1;
  @Native private static final int TABLE = 2;
  @Native private static final int REPETITION_PENALTY = 3;
  @Native private static final int PRESENCE_PENALTY = 4;
  @Native private static final int FREQUENCY_PENALTY = 5;
  @Native private static final int BIASES = 6;
  @Native private static final int BIAS_COUNT = 7;
  @Native private static final int BAD_WORDS = 8;
  @Native private static final int BAD_WORD_COUNT = 9;
  @Native private static final int ENDS = 10;
  @Native private static final int END_COUNT = 11;
  @Native private static final int SUPPRESS_ENDS = 12;
  @Native private static final int AUTOMATON = 13;
  @Native private static final int PREVIOUS = 14;
  @Native private static final int STATE = 15;
  @Native private static final int COUNT = 16;
  @Native private static final int AFTER = 17;
  private static final int NONE = -1;

  private ProcessingLayout() {}

  /** Words of the lists of a row. */
  public static int listWords(LogitsProcessing processing) {
    return 2 * processing.bias().size()
        + badWordWords(processing.badWords())
        + processing.endTokens().size();
  }

  private static int badWordWords(List<List<Integer>> words) {
    return words.size() + 1 + words.stream().mapToInt(List::size).sum();
  }

  /** Writes that a row is left as it is, at {@code at}. */
  public static void writeNone(IntBuffer to, int at) {
    for (int i = 0; i < WORDS; i++) {
      to.put(at + i, 0);
    }
    to.put(at + AUTOMATON, NONE).put(at + PREVIOUS, NONE).put(at + AFTER, NONE);
  }

  /**
   * Adds to a row what it is constrained by at a position that the host knows.
   *
   * @param automaton its place among the automata, in words
   * @param position of the automaton, or {@link Constraint#UNARMED}
   */
  public static void writeConstraint(
      IntBuffer to, int at, int automaton, OptionalInt after, long position) {
    to.put(at + AUTOMATON, automaton).put(at + AFTER, after.orElse(NONE));
    to.put(at + STATE, ByteAutomaton.state(position));
    to.put(at + COUNT, ByteAutomaton.count(position));
  }

  /**
   * Adds to a row what it is constrained by at the position that a row of the step before led to.
   *
   * @param automaton its place among the automata, in words
   * @param row which of that step's sampled rows
   */
  public static void writeConstraintAfter(
      IntBuffer to, int at, int automaton, OptionalInt after, int row) {
    to.put(at + AUTOMATON, automaton).put(at + AFTER, after.orElse(NONE)).put(at + PREVIOUS, row);
  }

  /**
   * Writes one row.
   *
   * @param to gets {@link #WORDS} words at {@code at} and {@link #listWords} at {@code lists}; its
   *     position stays. Its start is where places are counted from
   * @param history tokens of the row's prompt and output
   * @param table place of the row's block table
   * @throws IndexOutOfBoundsException where they do not fit
   */
  public static void write(
      IntBuffer to, int at, Sampling sampling, int history, int table, int lists) {
    LogitsProcessing how = sampling.processing();
    writeNone(to, at);
    to.put(at + HISTORY, history).put(at + OUTPUTS, sampling.index()).put(at + TABLE, table);
    to.put(at + REPETITION_PENALTY, Float.floatToRawIntBits(how.repetitionPenalty()));
    to.put(at + PRESENCE_PENALTY, Float.floatToRawIntBits(how.presencePenalty()));
    to.put(at + FREQUENCY_PENALTY, Float.floatToRawIntBits(how.frequencyPenalty()));
    int place = lists;
    to.put(at + BIASES, place).put(at + BIAS_COUNT, how.bias().size());
    for (Map.Entry<Integer, Float> bias : how.bias().entrySet()) {
      to.put(place++, bias.getKey()).put(place++, Float.floatToRawIntBits(bias.getValue()));
    }
    to.put(at + BAD_WORDS, place).put(at + BAD_WORD_COUNT, how.badWords().size());
    writeBadWords(to, place, how.badWords());
    place += badWordWords(how.badWords());
    to.put(at + ENDS, place).put(at + END_COUNT, how.endTokens().size());
    for (int token : how.endTokens()) {
      to.put(place++, token);
    }
    to.put(at + SUPPRESS_ENDS, how.suppressesEnd(sampling.index()) ? 1 : 0);
  }

  private static void writeBadWords(IntBuffer to, int place, List<List<Integer>> words) {
    int ids = place + words.size() + 1;
    int start = 0;
    for (int i = 0; i < words.size(); i++) {
      to.put(place + i, start);
      for (int token : words.get(i)) {
        to.put(ids + start++, token);
      }
    }
    to.put(place + words.size(), start);
  }
}
