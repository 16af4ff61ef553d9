package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RowDemandTest {
  private final RowDemand demand = new RowDemand(64);

  private static int submitAllWanted(RowDemand.Share share) {
    int wanted = share.wanted();
    share.submitted(wanted);
    return wanted;
  }

  @Test
  void aTaskAloneHasTwoRowsForEachSequence() {
    RowDemand.Share share = demand.join(() -> {});
    assertThat(submitAllWanted(share)).isEqualTo(128);
    assertThat(share.wanted()).isZero();
    share.ended(7);
    assertThat(share.wanted()).as("few rows are not worth a batch").isZero();
    share.ended(1);
    assertThat(share.wanted()).isEqualTo(8);
  }

  @Test
  void aFewSequencesAreRefilledOneByOne() {
    RowDemand.Share share = new RowDemand(1).join(() -> {});
    assertThat(submitAllWanted(share)).isEqualTo(2);
    share.ended(1);
    assertThat(share.wanted()).isEqualTo(1);
  }

  @Test
  void tasksHaveEqualParts() {
    RowDemand.Share first = demand.join(() -> {});
    RowDemand.Share second = demand.join(() -> {});
    assertThat(submitAllWanted(second)).isEqualTo(96);
    assertThat(submitAllWanted(first)).as("though the other has more").isEqualTo(64);
    second.ended(32);
    assertThat(second.wanted()).isZero();
    second.ended(10);
    assertThat(second.wanted()).isEqualTo(10);
  }

  @Test
  void aTaskTakesWhatTheOthersLeaveUnused() {
    RowDemand.Share first = demand.join(() -> {});
    demand.join(() -> {});
    assertThat(submitAllWanted(first)).as("three quarters of all").isEqualTo(96);
    assertThat(first.wanted()).isZero();
  }

  @Test
  void aTaskWithoutFurtherRowsLeavesItsPartToTheOthers() {
    AtomicInteger told = new AtomicInteger();
    RowDemand.Share first = demand.join(told::incrementAndGet);
    RowDemand.Share second = demand.join(() -> {});
    submitAllWanted(second);
    assertThat(submitAllWanted(first)).isEqualTo(64);
    second.finish();
    assertThat(told).hasValue(1);
    assertThat(first.wanted()).isEqualTo(64);
    second.finish();
    second.close();
    assertThat(told).as("once").hasValue(1);
  }

  @Test
  void whatAClosedTaskHadCountsNoMore() {
    RowDemand.Share first = demand.join(() -> {});
    RowDemand.Share second = demand.join(() -> {});
    submitAllWanted(second);
    second.close();
    second.ended(50);
    second.close();
    demand.join(() -> {});
    assertThat(first.wanted()).isEqualTo(96);
  }

  /** Tasks that come and go: each has its part as soon as it asks, and no row is held for long. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void noTaskWithoutRowsIsRefusedAndTheRowsAreBounded(long seed) {
    Random random = new Random(seed);
    List<RowDemand.Share> shares = new ArrayList<>();
    List<Integer> own = new ArrayList<>();
    for (int i = 0; i < 10_000; i++) {
      int at = shares.isEmpty() ? 0 : random.nextInt(shares.size());
      switch (random.nextInt(8)) {
        case 0 -> {
          if (shares.size() < 16) {
            shares.add(demand.join(() -> {}));
            own.add(0);
          }
        }
        case 1 -> {
          if (!shares.isEmpty() && random.nextInt(8) == 0) {
            shares.remove(at).close();
            own.remove(at);
          }
        }
        case 2, 3, 4 -> {
          if (!shares.isEmpty()) {
            int wanted = submitAllWanted(shares.get(at));
            assertThat(own.get(at) + wanted).isBetween(1, 128);
            own.set(at, own.get(at) + wanted);
          }
        }
        case 5, 6, 7 -> {
          if (!shares.isEmpty() && own.get(at) > 0) {
            int ended = 1 + random.nextInt(own.get(at));
            shares.get(at).ended(ended);
            own.set(at, own.get(at) - ended);
          }
        }
        default -> throw new AssertionError();
      }
    }
  }
}
