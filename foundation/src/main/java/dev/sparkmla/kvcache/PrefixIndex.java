package dev.sparkmla.kvcache;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Finds the block that was computed from a page of tokens after a given block: a chain of such
 * steps from {@link #ROOT} finds a prefix. What it finds holds exactly these tokens after exactly
 * that prefix: the ids are compared, hashes only lead to them.
 *
 * <p>Not thread-safe. It holds a page of token ids for each block it knows.
 */
public final class PrefixIndex {
  /** The predecessor of a sequence's first block. */
  public static final int ROOT = -1;

  private final int page;
  private final Map<Key, Integer> blocks = new HashMap<>();
  private final Map<Integer, Key> keys = new HashMap<>();

  /** How many indexed blocks follow an indexed block; absent where none does. */
  private final Map<Integer, Integer> followers = new HashMap<>();

  /**
   * Makes an empty index.
   *
   * @param page tokens in a block, ≥ 1
   * @throws IllegalArgumentException if {@code page} is less than 1
   */
  public PrefixIndex(int page) {
    if (page < 1) {
      throw new IllegalArgumentException("a block needs at least 1 token, not " + page);
    }
    this.page = page;
  }

  /** Tokens in a block. */
  public int page() {
    return page;
  }

  /** How many blocks the index knows. */
  public int size() {
    return keys.size();
  }

  /** Whether the index knows the content of {@code block}. */
  public boolean contains(int block) {
    return keys.containsKey(block);
  }

  /**
   * The block that holds a page of tokens after {@code predecessor}.
   *
   * @param predecessor an indexed block, or {@link #ROOT}
   * @param tokens ids of which the page from {@code from} on is looked for
   * @param from index of the first of them
   */
  public OptionalInt find(int predecessor, int[] tokens, int from) {
    Integer block = blocks.get(key(predecessor, tokens, from));
    return block == null ? OptionalInt.empty() : OptionalInt.of(block);
  }

  /**
   * Makes a full, computed block known, unless an equal one is.
   *
   * @param predecessor the indexed block before it, or {@link #ROOT}
   * @param tokens ids of which the page from {@code from} on is in the block
   * @param from index of the first of them
   * @param block the block
   * @return the block that the index knows for these tokens: {@code block}, or the equal one that
   *     was there before
   * @throws IllegalStateException if the predecessor is not indexed, or {@code block} already is,
   *     with other content
   */
  public int add(int predecessor, int[] tokens, int from, int block) {
    if (predecessor != ROOT && !contains(predecessor)) {
      throw new IllegalStateException(
          "block " + block + " follows block " + predecessor + ", which is not indexed");
    }
    Key key = key(predecessor, tokens, from);
    Integer known = blocks.get(key);
    if (known != null) {
      return known;
    }
    if (contains(block)) {
      throw new IllegalStateException("block " + block + " is indexed with other content");
    }
    blocks.put(key, block);
    keys.put(block, key);
    if (predecessor != ROOT) {
      followers.merge(predecessor, 1, Integer::sum);
    }
    return block;
  }

  /**
   * Forgets a block whose content is about to be lost.
   *
   * @throws IllegalStateException if it is not indexed, or an indexed block follows it
   */
  void remove(int block) {
    if (followers.containsKey(block)) {
      throw new IllegalStateException("block " + block + " is followed by an indexed block");
    }
    Key key = keys.remove(block);
    if (key == null) {
      throw new IllegalStateException("block " + block + " is not indexed");
    }
    blocks.remove(key);
    followers.computeIfPresent(
        key.predecessor, (predecessor, count) -> count == 1 ? null : count - 1);
  }

  private Key key(int predecessor, int[] tokens, int from) {
    if (from < 0 || from + page > tokens.length) {
      throw new IndexOutOfBoundsException(
          "no " + page + " tokens from " + from + " on, of " + tokens.length);
    }
    return new Key(predecessor, Arrays.copyOfRange(tokens, from, from + page));
  }

  /** A block's place in the chain; equal by content. */
  private static final class Key {
    private final int predecessor;
    private final int[] tokens;
    private final int hash;

    private Key(int predecessor, int[] tokens) {
      this.predecessor = predecessor;
      this.tokens = tokens;
      this.hash = 31 * predecessor + Arrays.hashCode(tokens);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Key key
          && hash == key.hash
          && predecessor == key.predecessor
          && Arrays.equals(tokens, key.tokens);
    }

    @Override
    public int hashCode() {
      return hash;
    }
  }
}
