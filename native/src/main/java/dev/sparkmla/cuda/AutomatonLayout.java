package dev.sparkmla.cuda;

import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.TokenBytes;
import java.lang.annotation.Native;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.BitSet;

/**
 * The layout of automata and of the bytes of a vocabulary's tokens in the memory that {@link
 * RowOperations#processLogits} reads, in int32 words. The vocabulary lies at its start, automata
 * behind it. automaton_words.h names the same places; jni_operations.cpp does not compile where
 * they differ.
 */
public final class AutomatonLayout {
  /** Of a vocabulary: how many tokens it has; of an automaton: how many states. */
  @Native public static final int COUNT = 0;

  /** Of a vocabulary: how many bytes its tokens have; of an automaton: how many classes. */
  @Native public static final int SIZE = 1;

  /** Of an automaton: the class of each byte, 256 bytes. */
  @Native public static final int CLASSES_OF_BYTES = 4;

  /** Of a vocabulary: where each token's bytes begin and the last one's end, then the bytes. */
  @Native public static final int OFFSETS = 4;

  /**
   * Of an automaton: edges [states, classes], then [states] of the least and the most counts, and
   * flags.
   */
  @Native public static final int EDGES = 4 + 64;

  /** The bit of a state's flags that says that an answer may end there. */
  @Native public static final int ACCEPTS = 1;

  /** The bit of a state's flags that says that a token may end there. */
  @Native public static final int RESTS = 2;

  private AutomatonLayout() {}

  /** Words of a vocabulary. */
  public static long words(TokenBytes vocabulary) {
    long bytes = vocabulary.offsets()[vocabulary.vocabulary()];
    return OFFSETS + vocabulary.vocabulary() + 1L + (bytes + Integer.BYTES - 1) / Integer.BYTES;
  }

  /** Words of an automaton. */
  public static long words(ByteAutomaton automaton) {
    return EDGES + (automaton.classes() + 3L) * automaton.states();
  }

  /** A vocabulary's words, in a direct buffer. */
  public static ByteBuffer write(TokenBytes vocabulary) {
    ByteBuffer to = allocate(words(vocabulary));
    byte[] bytes = vocabulary.bytes();
    to.putInt(COUNT * Integer.BYTES, vocabulary.vocabulary());
    to.putInt(SIZE * Integer.BYTES, bytes.length);
    int[] offsets = vocabulary.offsets();
    to.asIntBuffer().put(OFFSETS, offsets);
    to.put((OFFSETS + offsets.length) * Integer.BYTES, bytes);
    return to;
  }

  /** An automaton's words, in a direct buffer. */
  public static ByteBuffer write(ByteAutomaton automaton) {
    ByteBuffer to = allocate(words(automaton));
    int states = automaton.states();
    to.putInt(COUNT * Integer.BYTES, states);
    to.putInt(SIZE * Integer.BYTES, automaton.classes());
    to.put(CLASSES_OF_BYTES * Integer.BYTES, automaton.classOf());
    int least = EDGES + automaton.classes() * states;
    to.asIntBuffer()
        .put(EDGES, automaton.edges())
        .put(least, automaton.least())
        .put(least + states, automaton.most());
    BitSet accepting = automaton.accepting();
    BitSet resting = automaton.resting();
    for (int state = 0; state < states; state++) {
      int flags = (accepting.get(state) ? ACCEPTS : 0) | (resting.get(state) ? RESTS : 0);
      to.putInt((least + 2 * states + state) * Integer.BYTES, flags);
    }
    return to;
  }

  private static ByteBuffer allocate(long words) {
    return ByteBuffer.allocateDirect(Math.toIntExact(words * Integer.BYTES))
        .order(ByteOrder.nativeOrder());
  }
}
