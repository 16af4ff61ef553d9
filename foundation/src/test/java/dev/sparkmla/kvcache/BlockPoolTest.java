package dev.sparkmla.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BlockPoolTest {
  private final PrefixIndex index = new PrefixIndex(64);

  @Test
  void countsTheBlocksThatHoldTokens() {
    BlockPool pool = new BlockPool(1, index);

    assertThat(pool.blocksFor(0)).isZero();
    assertThat(pool.blocksFor(1)).isEqualTo(1);
    assertThat(pool.blocksFor(64)).isEqualTo(1);
    assertThat(pool.blocksFor(65)).isEqualTo(2);
    assertThat(pool.blocksFor(Integer.MAX_VALUE)).isEqualTo(1 << 25);
  }

  @Test
  void refusesAPoolWithoutBlocks() {
    assertThatThrownBy(() -> new BlockPool(0, index))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("not 0");
  }

  @Test
  void handsOutEachBlockOnceAndThenNone() {
    BlockPool pool = new BlockPool(3, index);

    assertThat(List.of(pool.allocate(), pool.allocate(), pool.allocate())).containsExactly(0, 1, 2);
    assertThat(pool.available()).isZero();
    assertThatThrownBy(pool::allocate)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("all 3 blocks");
  }

  @Test
  void aBlockIsFreeAfterItsLastReference() {
    BlockPool pool = new BlockPool(1, index);
    int block = pool.allocate();
    pool.retain(block);

    pool.release(block);
    assertThat(pool.available()).isZero();
    pool.release(block);
    assertThat(pool.available()).isEqualTo(1);
    assertThat(pool.allocate()).isEqualTo(block);
  }

  @Test
  void refusesToReleaseTwice() {
    BlockPool pool = new BlockPool(2, index);
    int block = pool.allocate();
    pool.release(block);

    assertThatThrownBy(() -> pool.release(block))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("block " + block);
    assertThat(pool.available()).isEqualTo(2);
  }

  @Test
  void refusesToRetainAFreeBlock() {
    BlockPool pool = new BlockPool(2, index);

    assertThatThrownBy(() -> pool.retain(1))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("block 1 is free");
  }

  @Test
  void refusesToReleaseACachedBlock() {
    BlockPool pool = new BlockPool(2, index);
    int block = cache(pool, 7);

    assertThatThrownBy(() -> pool.release(block)).isInstanceOf(IllegalStateException.class);
    assertThat(pool.cached()).isEqualTo(1);
  }

  @Test
  void evictsTheLeastRecentlyUsedWhenNoneIsFree() {
    BlockPool pool = new BlockPool(4, index);
    List<Integer> blocks = new ArrayList<>();
    for (int content = 0; content < 4; content++) {
      blocks.add(pool.allocate());
      index.add(PrefixIndex.ROOT, tokens(content), 0, blocks.get(content));
    }
    for (int block : List.of(2, 0, 3, 1)) {
      pool.release(blocks.get(block));
    }
    // Using it once more makes it the most recent.
    pool.retain(blocks.get(0));
    pool.release(blocks.get(0));

    assertThat(pool.available()).isEqualTo(4);
    assertThat(pool.cached()).isEqualTo(4);
    assertThat(List.of(pool.allocate(), pool.allocate(), pool.allocate(), pool.allocate()))
        .containsExactly(blocks.get(2), blocks.get(3), blocks.get(1), blocks.get(0));
    assertThat(index.size()).isZero();
  }

  @Test
  void prefersFreeBlocksToEviction() {
    BlockPool pool = new BlockPool(2, index);
    int kept = cache(pool, 7);

    assertThat(pool.allocate()).isNotEqualTo(kept);
    assertThat(index.find(PrefixIndex.ROOT, tokens(7), 0)).hasValue(kept);
  }

  private int cache(BlockPool pool, int content) {
    int block = pool.allocate();
    index.add(PrefixIndex.ROOT, tokens(content), 0, block);
    pool.release(block);
    return block;
  }

  private static int[] tokens(int content) {
    int[] tokens = new int[64];
    tokens[0] = content;
    return tokens;
  }
}
