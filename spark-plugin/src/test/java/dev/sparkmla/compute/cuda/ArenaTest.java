package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.cuda.CudaException;
import dev.sparkmla.cuda.FakeMemory;
import dev.sparkmla.kvcache.CacheShape;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ArenaTest {
  private final FakeMemory memory = new FakeMemory();
  private final Arena arena = new Arena(memory::device);

  /** Takes and closes at random, the last first, up to a sum of sizes; returns the addresses. */
  private List<Long> run(Random random, long most) {
    List<Long> addresses = new ArrayList<>();
    Deque<Arena.Block> blocks = new ArrayDeque<>();
    Deque<Long> sizes = new ArrayDeque<>();
    long sum = 0;
    for (int i = 0; i < 300; i++) {
      long size = 256L * (1 + random.nextInt(1 << (1 + random.nextInt(19))));
      if (random.nextInt(5) < 3 && sum + size <= most) {
        Arena.Block block = arena.take(size - random.nextInt(256));
        long address = block.buffer().address() + block.offset();
        addresses.add(address);
        assertThat(block.offset() + size).isLessThanOrEqualTo(block.buffer().bytes());
        blocks.push(block);
        sizes.push(size);
        sum += size;
      } else if (!blocks.isEmpty()) {
        blocks.pop().close();
        sum -= sizes.pop();
      }
    }
    blocks.forEach(Arena.Block::close);
    assertThat(arena.live()).isZero();
    return addresses;
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void theSameRequestsGetTheSameAddresses(long seed) {
    List<Long> first = run(new Random(seed), 1L << 30);
    run(new Random(seed + 100), 1L << 32);
    assertThat(run(new Random(seed), 1L << 30)).isEqualTo(first);
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void onceSettledItHasRoomForEverySumOfBlocksThatItHad(long seed) {
    long most = 200L << 20;
    List<Arena.Block> largest = List.of(arena.take(most / 4), arena.take(most - most / 4));
    largest.get(1).close();
    largest.get(0).close();
    assertThat(arena.bytes()).as("more than one chunk").isGreaterThan(most);
    arena.settle();
    assertThat(arena.bytes()).isEqualTo(most);
    for (int i = 0; i < 20; i++) {
      run(new Random(31 * seed + i), most);
      assertThat(arena.bytes()).isEqualTo(most);
    }
    assertThat(memory.openBuffers()).isOne();
  }

  @Test
  void blocksDoNotOverlap() {
    Deque<Arena.Block> blocks = new ArrayDeque<>();
    long end = 0;
    for (int i = 1; i < 1000; i++) {
      Arena.Block block = arena.take(1L << (i % 24));
      long address = block.buffer().address() + block.offset();
      assertThat(address).isGreaterThanOrEqualTo(end).matches(value -> value % 256 == 0);
      end = address + (1L << (i % 24));
      blocks.push(block);
    }
    blocks.forEach(Arena.Block::close);
    arena.close();
    assertThat(memory.openBuffers()).isZero();
  }

  @Test
  void refusesToTakeABlockBackBeforeTheOnesAboveIt() {
    Arena.Block below = arena.take(1);
    Arena.Block above = arena.take(1);
    assertThatThrownBy(below::close)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("not the last");
    assertThatThrownBy(arena::settle).hasMessageContaining("2 blocks are taken");
    above.close();
    assertThatThrownBy(above::close).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(above::buffer).hasMessageContaining("closed");
    below.close();
    assertThat(arena.live()).isZero();
  }

  @Test
  void isAsBeforeWhereMemoryRunsOut() {
    memory.failAfter(1);
    Arena.Block first = arena.take(1);
    long before = arena.bytes();
    assertThatThrownBy(() -> arena.take(1L << 40)).isInstanceOf(CudaException.class);
    assertThat(arena.live()).isOne();
    assertThat(arena.bytes()).isEqualTo(before);
    Arena.Block second = arena.take(300);
    assertThat(second.offset()).isEqualTo(256);
    second.close();
    first.close();
  }

  /** Each of the buffers gets a chunk of its own here. */
  @ParameterizedTest(name = "{0} chunks")
  @ValueSource(ints = {0, 1, 2, 3})
  void buffersOfPrefillAreGivenBackWhenALaterOneFails(int chunks) {
    AttentionShape shape =
        new AttentionShape(16, 128, 128, 1, Optional.empty(), CacheShape.of(512, 64));
    int rows = 1 << 20;
    memory.failAfter(chunks);
    assertThatThrownBy(() -> new PrefillBuffers(arena, shape, rows, rows))
        .isInstanceOf(CudaException.class);
    assertThat(arena.live()).isZero();
    memory.failAfter(4);
    new PrefillBuffers(arena, shape, rows, rows).close();
    assertThat(arena.live()).isZero();
  }
}
