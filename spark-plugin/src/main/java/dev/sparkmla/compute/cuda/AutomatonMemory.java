package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.cuda.AutomatonLayout;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.TokenBytes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongFunction;

/**
 * Where automata lie on the device, in memory of a fixed size that is taken once: at its start the
 * bytes of the vocabulary's tokens, behind them automata. One that nobody owns stays until its room
 * is needed; the one that was given back longest ago goes first. The largest automaton fits when
 * nobody owns another.
 */
final class AutomatonMemory implements AutoCloseable {
  /** Two of the largest automata, or a hundred of some ten thousand states. */
  static final long BYTES = 64L << 20;

  private static final long ALIGNMENT = 16;

  private final DeviceBuffer buffer;
  private final Copy copy;

  /** In the order of their places. */
  private final List<Entry> entries = new ArrayList<>();

  private Optional<TokenBytes> vocabulary = Optional.empty();
  private long firstPlace;
  private long clock;

  /** Copies words to the device, behind everything that is enqueued and may read what was there. */
  interface Copy {
    /** Copies to a place, in bytes. */
    void run(DeviceBuffer to, long place, ByteBuffer words);
  }

  /** An automaton at its place, in bytes. */
  private static final class Entry {
    private final ByteAutomaton automaton;
    private final long place;
    private final long bytes;
    private int owners;
    private long givenBack;

    Entry(ByteAutomaton automaton, long place, long bytes) {
      this.automaton = automaton;
      this.place = place;
      this.bytes = bytes;
    }

    long end() {
      return place + bytes;
    }
  }

  /** An owner's hold of an entry. */
  final class Table implements ConstraintTable {
    private final Constraint constraint;
    private final Entry entry;
    private boolean closed;

    private Table(Constraint constraint, Entry entry) {
      this.constraint = constraint;
      this.entry = entry;
    }

    @Override
    public Constraint constraint() {
      return constraint;
    }

    /** Where the automaton begins, in words. */
    int place() {
      if (closed) {
        throw new IllegalStateException("the table is closed");
      }
      return (int) (entry.place / Integer.BYTES);
    }

    @Override
    public void close() {
      if (!closed) {
        closed = true;
        entry.owners--;
        entry.givenBack = clock++;
      }
    }
  }

  AutomatonMemory(LongFunction<DeviceBuffer> memory, Copy copy) {
    this.copy = copy;
    this.buffer = memory.apply(BYTES);
    try {
      // No vocabulary and no tokens, until there are some.
      copy.run(
          buffer, 0, ByteBuffer.allocateDirect((int) ALIGNMENT).order(ByteOrder.nativeOrder()));
    } catch (RuntimeException | Error e) {
      buffer.close();
      throw e;
    }
  }

  /**
   * Takes a constraint in.
   *
   * @return empty when there is no room until others are given back
   * @throws IllegalArgumentException when its vocabulary is not that of the others
   */
  Optional<Table> take(Constraint constraint) {
    useVocabulary(constraint.vocabulary());
    Optional<Entry> entry = find(constraint.automaton()).or(() -> add(constraint.automaton()));
    entry.ifPresent(held -> held.owners++);
    return entry.map(held -> new Table(constraint, held));
  }

  private void useVocabulary(TokenBytes tokens) {
    if (vocabulary.isEmpty()) {
      copy.run(buffer, 0, AutomatonLayout.write(tokens));
      firstPlace = aligned(AutomatonLayout.words(tokens) * Integer.BYTES);
      vocabulary = Optional.of(tokens);
    } else if (vocabulary.get() != tokens) {
      throw new IllegalArgumentException("a constraint of another vocabulary than the others'");
    }
  }

  private Optional<Entry> find(ByteAutomaton automaton) {
    return entries.stream().filter(entry -> entry.automaton == automaton).findFirst();
  }

  private Optional<Entry> add(ByteAutomaton automaton) {
    long bytes = aligned(AutomatonLayout.words(automaton) * Integer.BYTES);
    Optional<Entry> added = place(automaton, bytes);
    while (added.isEmpty() && evict()) {
      added = place(automaton, bytes);
    }
    added.ifPresent(entry -> copy.run(buffer, entry.place, AutomatonLayout.write(automaton)));
    return added;
  }

  /** Finds the first gap that is large enough. */
  private Optional<Entry> place(ByteAutomaton automaton, long bytes) {
    long place = firstPlace;
    for (int i = 0; i <= entries.size(); i++) {
      long end = i < entries.size() ? entries.get(i).place : BYTES;
      if (end - place >= bytes) {
        Entry entry = new Entry(automaton, place, bytes);
        entries.add(i, entry);
        return Optional.of(entry);
      }
      place = i < entries.size() ? entries.get(i).end() : BYTES;
    }
    return Optional.empty();
  }

  /** Forgets the automaton that was given back longest ago; false where there is none. */
  private boolean evict() {
    Optional<Entry> oldest =
        entries.stream()
            .filter(entry -> entry.owners == 0)
            .min((one, other) -> Long.compare(one.givenBack, other.givenBack));
    oldest.ifPresent(entries::remove);
    return oldest.isPresent();
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** All of it: int32 [any]. */
  DeviceTensor words() {
    return buffer.tensor(ElementType.INT32, BYTES / Integer.BYTES);
  }

  @Override
  public void close() {
    buffer.close();
  }
}
