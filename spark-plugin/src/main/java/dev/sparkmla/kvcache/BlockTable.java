package dev.sparkmla.kvcache;

import static dev.sparkmla.kvcache.BlockPool.BLOCK_TOKENS;

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
  private int[] blocks = new int[4];
  private int size;
  private int computed;

  /** Makes an empty table over {@code pool}, whose index is {@code index}. */
  public BlockTable(BlockPool pool, PrefixIndex index) {
    this.pool = pool;
    this.index = index;
  }

  /** Number of blocks. */
  public int size() {
    return size;
  }

  /** The blocks, in order: a copy. */
  public int[] blocks() {
    return Arrays.copyOf(blocks, size);
  }

  /** How many of the sequence's first tokens are computed in these blocks. */
  public int computedTokens() {
    return computed;
  }

  /**
   * The last full computed block, {@link PrefixIndex#ROOT} if there is none: the predecessor of the
   * one that is computed next.
   */
  public int lastFullBlock() {
    int full = computed / BLOCK_TOKENS;
    return full == 0 ? PrefixIndex.ROOT : blocks[full - 1];
  }

  /**
   * Allocates what is missing to hold the sequence's first {@code tokens} tokens.
   *
   * @throws IllegalStateException if the pool does not have it; then nothing was allocated
   */
  public void reserve(int tokens) {
    int missing = BlockPool.blocksFor(tokens) - size;
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
   * @param limit how many of the tokens may be taken up at most
   * @return by how many {@link #computedTokens} grew
   */
  public int adopt(int[] tokens, int limit) {
    int before = computed;
    for (int full = computed / BLOCK_TOKENS; (full + 1) * BLOCK_TOKENS <= limit; full++) {
      OptionalInt known = index.find(lastFullBlock(), tokens, full * BLOCK_TOKENS);
      if (known.isEmpty()) {
        break;
      }
      place(full, known.getAsInt());
      computed = (full + 1) * BLOCK_TOKENS;
    }
    return computed - before;
  }

  /**
   * Notes that the sequence's first {@code newComputed} tokens are computed, and makes the blocks
   * that became full known to the index.
   *
   * @param tokens the sequence's token ids
   * @param newComputed how many of them are computed now
   * @throws IllegalArgumentException if that is fewer than before, or more than the blocks hold
   */
  public void advance(int[] tokens, int newComputed) {
    if (newComputed < computed || newComputed > (long) size * BLOCK_TOKENS) {
      throw new IllegalArgumentException(
          newComputed + " tokens computed after " + computed + ", in " + size + " blocks");
    }
    for (int full = computed / BLOCK_TOKENS; (full + 1) * BLOCK_TOKENS <= newComputed; full++) {
      place(full, index.add(lastFullBlock(), tokens, full * BLOCK_TOKENS, blocks[full]));
      computed = (full + 1) * BLOCK_TOKENS;
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
