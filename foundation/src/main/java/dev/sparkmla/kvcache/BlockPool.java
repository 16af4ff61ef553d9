package dev.sparkmla.kvcache;

import java.util.Arrays;

/**
 * The blocks of one paged cache: hands them out, counts their references, and keeps blocks without
 * references that the index knows until their room is needed.
 *
 * <p>Not thread-safe; see the package's description for the states of a block.
 */
public final class BlockPool {
  private static final int NONE = -1;

  private final PrefixIndex index;
  private final int[] references;

  /** A stack: the first {@link #freeCount} entries are the free blocks. */
  private final int[] free;

  private int freeCount;

  // The cached blocks, a list linked both ways from the least to the most recently given back.
  private final int[] earlier;
  private final int[] later;
  private final boolean[] cached;
  private int earliest = NONE;
  private int latest = NONE;
  private int cachedCount;

  /**
   * Makes a pool of free blocks, numbered from 0.
   *
   * @param blocks how many, ≥ 1
   * @param index tells which blocks are worth keeping when nobody references them; it must be
   *     empty, and no other pool's
   * @throws IllegalArgumentException if {@code blocks} is less than 1
   */
  public BlockPool(int blocks, PrefixIndex index) {
    if (blocks < 1) {
      throw new IllegalArgumentException("a pool needs at least 1 block, not " + blocks);
    }
    this.index = index;
    references = new int[blocks];
    free = new int[blocks];
    earlier = new int[blocks];
    later = new int[blocks];
    cached = new boolean[blocks];
    Arrays.fill(earlier, NONE);
    Arrays.fill(later, NONE);
    // The lowest number is handed out first.
    for (int i = 0; i < blocks; i++) {
      free[i] = blocks - 1 - i;
    }
    freeCount = blocks;
  }

  /** Tokens in a block. */
  public int page() {
    return index.page();
  }

  /** The number of blocks that hold {@code tokens} tokens. */
  public int blocksFor(int tokens) {
    return CacheShape.blocksFor(tokens, page());
  }

  /** All blocks, whatever their state. */
  public int size() {
    return references.length;
  }

  /** Blocks that {@link #allocate} can hand out: the free and the cached ones. */
  public int available() {
    return freeCount + cachedCount;
  }

  /** Blocks that nobody references and the index knows. */
  public int cached() {
    return cachedCount;
  }

  /** How many references to {@code block} there are. */
  public int references(int block) {
    return references[block];
  }

  /**
   * Hands out a block with one reference, evicting the least recently used cached one if none is
   * free.
   *
   * @throws IllegalStateException if none is available
   */
  public int allocate() {
    int block;
    if (freeCount > 0) {
      block = free[--freeCount];
    } else if (cachedCount > 0) {
      block = earliest;
      unlink(block);
      index.remove(block);
    } else {
      throw new IllegalStateException(
          "all " + size() + " blocks are referenced; ask available() before allocate()");
    }
    references[block] = 1;
    return block;
  }

  /**
   * Adds a reference to a block that is referenced or cached.
   *
   * @throws IllegalStateException if the block is free: its content means nothing
   */
  public void retain(int block) {
    if (references[block] == 0) {
      if (!cached[block]) {
        throw new IllegalStateException("block " + block + " is free and cannot be retained");
      }
      unlink(block);
    }
    references[block]++;
  }

  /**
   * Gives one reference back. After the last one the block is cached if the index knows it, else
   * free.
   *
   * @throws IllegalStateException if the block has no reference
   */
  public void release(int block) {
    if (references[block] == 0) {
      throw new IllegalStateException("block " + block + " has no reference to release");
    }
    if (--references[block] > 0) {
      return;
    }
    if (index.contains(block)) {
      linkLatest(block);
    } else {
      free[freeCount++] = block;
    }
  }

  private void linkLatest(int block) {
    earlier[block] = latest;
    later[block] = NONE;
    if (latest == NONE) {
      earliest = block;
    } else {
      later[latest] = block;
    }
    latest = block;
    cached[block] = true;
    cachedCount++;
  }

  private void unlink(int block) {
    int before = earlier[block];
    int after = later[block];
    if (before == NONE) {
      earliest = after;
    } else {
      later[before] = after;
    }
    if (after == NONE) {
      latest = before;
    } else {
      earlier[after] = before;
    }
    earlier[block] = NONE;
    later[block] = NONE;
    cached[block] = false;
    cachedCount--;
  }
}
