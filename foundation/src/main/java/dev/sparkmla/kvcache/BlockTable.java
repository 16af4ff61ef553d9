package dev.sparkmla.kvcache;

import java.util.Arrays;
import java.util.OptionalInt;

/**
 * The blocks of one sequence, in order, and how many of its tokens are computed in them. It owns a
 * reference to each block; {@link #close} gives them all back.
 *
 * <p>Not thread-safe.
 */
public final class BlockTable implements AutoCloseable {
  private final BlockPool pool;
  private final PrefixIndex index;
  private final int page;
  private final int shared;
  private int[] blocks = new int[4];
  private int size;
  private int computed;

  /**
   * Makes an empty table over {@code pool}, whose index is {@code index}.
   *
   * @param shared how many of the sequence's first tokens other sequences may find in the index:
   *     its prompt. Later tokens are computed in another form, whose bits differ, so a block that
   *     holds one stays the sequence's own
   */
  public BlockTable(BlockPool pool, PrefixIndex index, int shared) {
    this.pool = pool;
    this.index = index;
    this.page = index.page();
    this.shared = shared;
  }

  /** Number of blocks. */
  public int size() {
    return size;
  }

  /**
   * The first {@code count} blocks, in order: a copy.
   *
   * @throws IndexOutOfBoundsException if the table has fewer
   */
  public int[] blocks(int count) {
    if (count > size) {
      throw new IndexOutOfBoundsException(count + " blocks of a table of " + size);
    }
    return Arrays.copyOf(blocks, count);
  }

  /** The number of blocks that hold {@code tokens} tokens. */
  public int blocksFor(int tokens) {
    return CacheShape.blocksFor(tokens, page);
  }

  /** How many of the sequence's first tokens are computed in these blocks. */
  public int computedTokens() {
    return computed;
  }

  /**
   * The last full computed block of the shared tokens, {@link PrefixIndex#ROOT} if there is none:
   * the predecessor of the shared one that is computed next.
   */
  public int lastSharedBlock() {
    int full = Math.min(computed, shared) / page;
    return full == 0 ? PrefixIndex.ROOT : blocks[full - 1];
  }

  /**
   * Allocates what is missing to hold the sequence's first {@code tokens} tokens.
   *
   * @throws IllegalStateException if the pool does not have it; then nothing was allocated
   */
  public void reserve(int tokens) {
    int missing = blocksFor(tokens) - size;
    if (missing > pool.available()) {
      throw new IllegalStateException(
          missing + " blocks are missing and " + pool.available() + " available");
    }
    for (; missing > 0; missing--) {
      append(pool.allocate());
    }
  }

  /**
   * Takes up, after what is computed, the full blocks that the index knows for the sequence's next
   * tokens. A block of its own that is computed in part gives way to the known full one.
   *
   * @param tokens the sequence's token ids, of which the first {@link #computedTokens} are those
   *     computed here
   * @param limit how many of the tokens may be taken up at most; no more than the shared ones are
   * @return by how many {@link #computedTokens} grew
   */
  public int adopt(int[] tokens, int limit) {
    int before = computed;
    int most = Math.min(limit, shared);
    for (int full = computed / page; (full + 1) * page <= most; full++) {
      OptionalInt known = index.find(lastSharedBlock(), tokens, full * page);
      if (known.isEmpty()) {
        break;
      }
      place(full, known.getAsInt());
      computed = (full + 1) * page;
    }
    return computed - before;
  }

  /**
   * Notes that the sequence's first {@code newComputed} tokens are computed, and makes the blocks
   * of shared tokens that became full known to the index.
   *
   * @param tokens the sequence's token ids
   * @param newComputed how many of them are computed now
   * @throws IllegalArgumentException if that is fewer than before, or more than the blocks hold
   */
  public void advance(int[] tokens, int newComputed) {
    if (newComputed < computed || newComputed > (long) size * page) {
      throw new IllegalArgumentException(
          newComputed + " tokens computed after " + computed + ", in " + size + " blocks");
    }
    int indexed = Math.min(newComputed, shared);
    for (int full = computed / page; (full + 1) * page <= indexed; full++) {
      place(full, index.add(lastSharedBlock(), tokens, full * page, blocks[full]));
      computed = (full + 1) * page;
    }
    computed = newComputed;
  }

  /** Gives all blocks back, the last one first; the table is empty then and can be used again. */
  @Override
  public void close() {
    while (size > 0) {
      pool.release(blocks[--size]);
    }
    computed = 0;
  }

  /** Puts a known block at {@code position}, in the place of the one that is there, if any. */
  private void place(int position, int block) {
    if (position < size && blocks[position] == block) {
      return;
    }
    pool.retain(block);
    if (position < size) {
      pool.release(blocks[position]);
      blocks[position] = block;
    } else {
      append(block);
    }
  }

  private void append(int block) {
    if (size == blocks.length) {
      blocks = Arrays.copyOf(blocks, 2 * size);
    }
    blocks[size++] = block;
  }
}
