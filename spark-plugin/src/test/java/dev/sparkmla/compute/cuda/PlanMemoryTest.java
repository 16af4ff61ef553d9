package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.compute.Segments;
import dev.sparkmla.cuda.CudaException;
import dev.sparkmla.cuda.FakeMemory;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What does not reach a device: no copy is enqueued here, so that there is no stream. */
class PlanMemoryTest {
  private final FakeMemory memory = new FakeMemory();
  private final PlanMemory plans = plans(memory);

  private static PlanMemory plans(FakeMemory memory) {
    return new PlanMemory(
        memory::device,
        memory::pinned,
        null,
        () -> {
          throw new AssertionError("nothing moves here");
        });
  }

  @Test
  void closesTheFirstBufferWhereTheSecondFails() {
    FakeMemory small = new FakeMemory();
    small.failAfter(1);
    assertThatThrownBy(() -> plans(small)).isInstanceOf(CudaException.class);
    assertThat(small.openBuffers()).isZero();
  }

  @Test
  void aSlotThatCannotGrowIsKeptAsItIs() {
    PlanMemory.Slot slot = plans.take(10, 5);
    slot.words().put(3, 42);
    plans.giveBack(slot);
    int open = memory.openBuffers();
    memory.failAfter(0);
    assertThatThrownBy(() -> plans.take(1 << 20, 5)).isInstanceOf(CudaException.class);
    assertThat(plans.freeSlots()).isOne();
    assertThat(memory.openBuffers()).isEqualTo(open);
    assertThat(plans.take(10, 5)).isSameAs(slot);
    assertThat(slot.words().get(3)).isEqualTo(42);
  }

  @Test
  void aSlotWithoutABufferIsKeptToo() {
    memory.failAfter(0);
    assertThatThrownBy(() -> plans.take(10, 5)).isInstanceOf(CudaException.class);
    assertThat(plans.freeSlots()).isOne();
    memory.failAfter(1);
    plans.take(10, 5);
    assertThat(plans.freeSlots()).isZero();
  }

  @Test
  void aPlanThatCannotBeWrittenGivesItsSlotBack() {
    assertThatThrownBy(
            () -> new CudaPlan(plans, List.of(Segments.prompt(new int[100], 0, new int[1]))))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThat(plans.freeSlots()).isOne();
    try (CudaPlan plan =
        new CudaPlan(plans, List.of(Segments.prompt(new int[100], 0, new int[2])))) {
      assertThat(plans.freeSlots()).isZero();
      assertThat(plan.rows()).isEqualTo(100);
    }
    assertThat(plans.freeSlots()).isOne();
  }

  @Test
  void deviceMemoryIsReplacedOnlyByWhatIsThere() {
    int open = memory.openBuffers();
    long address = plans.words(0, 1).address();
    for (int allocations = 0; allocations < 2; allocations++) {
      memory.failAfter(allocations);
      assertThatThrownBy(() -> plans.reserve(1L << 30, 1L << 30)).isInstanceOf(CudaException.class);
      assertThat(memory.openBuffers()).isEqualTo(open);
      assertThat(plans.words(0, 1).address()).isEqualTo(address);
      assertThat(plans.tokens(1).address()).isPositive();
    }
    plans.reserve(1, 1);
    assertThat(plans.words(0, 1).address()).as("what fits").isEqualTo(address);
  }
}
