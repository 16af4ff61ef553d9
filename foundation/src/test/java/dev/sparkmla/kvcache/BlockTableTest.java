package dev.sparkmla.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BlockTableTest {
  private final PrefixIndex index = new PrefixIndex(64);
  private final BlockPool pool = new BlockPool(8, index);
  private final int[] tokens = IntStream.range(0, 300).toArray();

  @Test
  void keepsBlocksThatHoldOtherThanSharedTokensToItself() {
    int[] tokens = IntStream.range(0, 256).toArray();
    try (BlockTable first = new BlockTable(pool, index, 100);
        BlockTable second = new BlockTable(pool, index, 256)) {
      first.reserve(256);
      first.advance(tokens, 100);
      first.advance(tokens, 256);

      assertThat(index.size()).isEqualTo(1);
      assertThat(first.lastSharedBlock()).isEqualTo(first.blocks(1)[0]);
      assertThat(second.adopt(tokens, 256)).isEqualTo(64);
    }
  }

  @Test
  void takesUpNoMoreThanItsSharedTokens() {
    int[] tokens = IntStream.range(0, 256).toArray();
    try (BlockTable first = new BlockTable(pool, index, 256);
        BlockTable second = new BlockTable(pool, index, 100)) {
      first.reserve(256);
      first.advance(tokens, 256);

      assertThat(second.adopt(tokens, 255)).isEqualTo(64);
    }
  }

  @Test
  void takesUpFullBlocksOfAnEqualPrefix() {
    try (BlockTable first = new BlockTable(pool, index, Integer.MAX_VALUE);
        BlockTable second = new BlockTable(pool, index, Integer.MAX_VALUE)) {
      first.reserve(200);
      first.advance(tokens, 200);

      assertThat(second.adopt(tokens, 299)).isEqualTo(192);
      assertThat(second.blocks(second.size()))
          .isEqualTo(Arrays.copyOf(first.blocks(first.size()), 3));
      assertThat(second.computedTokens()).isEqualTo(192);
      assertThat(pool.available()).isEqualTo(4);
    }
    assertThat(pool.available()).isEqualTo(8);
    assertThat(pool.cached()).isEqualTo(3);
  }

  @Test
  void takesUpNoMoreThanTheLimit() {
    try (BlockTable first = new BlockTable(pool, index, Integer.MAX_VALUE);
        BlockTable second = new BlockTable(pool, index, Integer.MAX_VALUE)) {
      first.reserve(128);
      first.advance(tokens, 128);

      assertThat(second.adopt(tokens, 127)).isEqualTo(64);
      assertThat(second.adopt(tokens, 128)).isEqualTo(64);
    }
  }

  @Test
  void stopsAtTheFirstDifferentToken() {
    try (BlockTable first = new BlockTable(pool, index, Integer.MAX_VALUE);
        BlockTable second = new BlockTable(pool, index, Integer.MAX_VALUE)) {
      first.reserve(192);
      first.advance(tokens, 192);
      int[] different = tokens.clone();
      different[100] = -1;

      assertThat(second.adopt(different, 299)).isEqualTo(64);
    }
  }

  @Test
  void sharesABlockThatTwoComputedAlike() {
    try (BlockTable first = new BlockTable(pool, index, Integer.MAX_VALUE);
        BlockTable second = new BlockTable(pool, index, Integer.MAX_VALUE)) {
      first.reserve(70);
      second.reserve(70);
      first.advance(tokens, 70);
      second.advance(tokens, 70);

      assertThat(second.blocks(second.size())[0]).isEqualTo(first.blocks(first.size())[0]);
      assertThat(second.blocks(second.size())[1]).isNotEqualTo(first.blocks(first.size())[1]);
      assertThat(pool.available()).isEqualTo(5);
    }
  }

  @Test
  void aPartlyComputedBlockGivesWayToTheKnownOne() {
    try (BlockTable first = new BlockTable(pool, index, Integer.MAX_VALUE);
        BlockTable second = new BlockTable(pool, index, Integer.MAX_VALUE)) {
      second.reserve(40);
      second.advance(tokens, 40);
      first.reserve(128);
      first.advance(tokens, 128);

      assertThat(second.adopt(tokens, 299)).isEqualTo(88);
      assertThat(second.blocks(second.size())).isEqualTo(first.blocks(first.size()));
      assertThat(pool.available()).isEqualTo(6);
    }
  }

  @Test
  void reservesAllOrNothing() {
    try (BlockTable table = new BlockTable(pool, index, Integer.MAX_VALUE)) {
      table.reserve(65);
      assertThatThrownBy(() -> table.reserve(9 * 64))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("7 blocks are missing and 6 available");
      assertThat(table.size()).isEqualTo(2);
      table.reserve(1);
      assertThat(table.size()).isEqualTo(2);
    }
  }

  @Test
  void refusesToComputeBackwardsOrBeyondItsBlocks() {
    try (BlockTable table = new BlockTable(pool, index, Integer.MAX_VALUE)) {
      table.reserve(64);
      table.advance(tokens, 10);
      assertThatThrownBy(() -> table.advance(tokens, 9))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> table.advance(tokens, 65))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  /**
   * Random tables over few distinct prefixes and a small pool, beside a model that remembers what
   * was written where.
   */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void keepsItsLawsUnderRandomUse(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    PrefixIndex index = new PrefixIndex(64);
    BlockPool pool = new BlockPool(24, index);
    List<BlockTable> tables = new ArrayList<>();
    List<int[]> contents = new ArrayList<>();
    // What each block holds as "computed": the whole prefix it ends, because keys depend on it.
    Map<Integer, int[]> written = new HashMap<>();
    int adopted = 0;
    for (int step = 0; step < 3000; step++) {
      int which = tables.isEmpty() ? 0 : random.nextInt(tables.size());
      switch (random.nextInt(4)) {
        case 0 -> {
          if (tables.size() < 6) {
            tables.add(new BlockTable(pool, index, Integer.MAX_VALUE));
            contents.add(prompt(random));
          }
        }
        case 1 -> {
          if (!tables.isEmpty()) {
            adopted += tables.get(which).adopt(contents.get(which), contents.get(which).length - 1);
          }
        }
        case 2 -> {
          if (!tables.isEmpty()) {
            compute(tables.get(which), contents.get(which), random, pool, written);
          }
        }
        default -> {
          if (random.nextInt(5) == 0 && !tables.isEmpty()) {
            tables.remove(which).close();
            contents.remove(which);
          }
        }
      }
      check(tables, contents, pool, index, written);
    }
    tables.forEach(BlockTable::close);
    assertThat(adopted).isPositive();
    assertThat(pool.available()).isEqualTo(24);
    assertThat(pool.cached()).isEqualTo(index.size());
    // Every block can be had again: eviction meets no block that another still follows.
    for (int i = 0; i < 24; i++) {
      pool.allocate();
    }
    assertThat(index.size()).isZero();
  }

  private static int[] prompt(SplittableRandom random) {
    int[] tokens = new int[random.nextInt(2, 500)];
    for (int i = 0; i < tokens.length; i++) {
      // Two choices for each block: prefixes meet and part often.
      tokens[i] = i % 64 == 0 ? random.nextInt(2) : i;
    }
    return tokens;
  }

  private static void compute(
      BlockTable table,
      int[] tokens,
      SplittableRandom random,
      BlockPool pool,
      Map<Integer, int[]> written) {
    int from = table.computedTokens();
    int to = Math.min(tokens.length, from + random.nextInt(1, 200));
    if (pool.blocksFor(to) - table.size() > pool.available()) {
      return;
    }
    table.reserve(to);
    for (int i = from / 64; i < pool.blocksFor(to); i++) {
      int block = table.blocks(table.size())[i];
      assertThat(pool.references(block)).as("only one may write a block").isEqualTo(1);
      written.put(block, Arrays.copyOf(tokens, Math.min(to, (i + 1) * 64)));
    }
    table.advance(tokens, to);
  }

  private static void check(
      List<BlockTable> tables,
      List<int[]> contents,
      BlockPool pool,
      PrefixIndex index,
      Map<Integer, int[]> written) {
    int[] references = new int[pool.size()];
    for (int t = 0; t < tables.size(); t++) {
      BlockTable table = tables.get(t);
      int[] blocks = table.blocks(table.size());
      for (int i = 0; i < blocks.length; i++) {
        references[blocks[i]]++;
        int end = Math.min(table.computedTokens(), (i + 1) * 64);
        if (end > i * 64) {
          assertThat(Arrays.copyOf(written.get(blocks[i]), end))
              .as("a block holds what its table believes")
              .isEqualTo(Arrays.copyOf(contents.get(t), end));
        }
        assertThat(index.contains(blocks[i]))
            .as("exactly full blocks are indexed")
            .isEqualTo((i + 1) * 64 <= table.computedTokens());
      }
    }
    int referenced = 0;
    int cached = 0;
    for (int block = 0; block < pool.size(); block++) {
      assertThat(pool.references(block)).isEqualTo(references[block]);
      referenced += references[block] > 0 ? 1 : 0;
      cached += references[block] == 0 && index.contains(block) ? 1 : 0;
    }
    assertThat(pool.available()).as("no block is lost").isEqualTo(pool.size() - referenced);
    assertThat(pool.cached()).isEqualTo(cached);
  }
}
