package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.Forward;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.Segments;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.cuda.CudaFatalException;
import dev.sparkmla.cuda.FakeMemory;
import dev.sparkmla.kvcache.CacheShape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which steps are recorded, over a recorder that notes what happens in words. */
class StepGraphsTest {
  private static final AttentionShape ATTENTION =
      new AttentionShape(16, 128, 128, 1, Optional.empty(), CacheShape.of(512, 64));

  private final FakeMemory memory = new FakeMemory();
  private final PlanMemory plans = new PlanMemory(memory::device, memory::pinned, null, () -> {});
  private final List<String> events = new ArrayList<>();
  private final StepGraphs graphs = new StepGraphs(this::record);
  private final Forward forward = this::compute;

  private RuntimeException failure;
  private RuntimeException recordingFailure;
  private RuntimeException repeatFailure;
  private int open;
  private int openWhenRecording;

  private void compute(StepPlan plan) {
    assertThat(CudaPlan.of(plan).claimScheduling(ATTENTION)).as("scheduled anew").isTrue();
    events.add("compute");
    if (failure != null) {
      throw failure;
    }
  }

  private StepGraphs.Recording record(Runnable work) {
    events.add("record");
    openWhenRecording = open;
    work.run();
    if (recordingFailure != null) {
      throw recordingFailure;
    }
    open++;
    return new StepGraphs.Recording() {
      @Override
      public void repeat() {
        events.add("repeat");
        if (repeatFailure != null) {
          throw repeatFailure;
        }
      }

      @Override
      public void close() {
        open--;
      }
    };
  }

  /** What happens in a step of so many rows that decode. */
  private List<String> run(int rows) {
    return run(Collections.nCopies(rows, Segments.decode(new int[1], 0, new int[1])));
  }

  private List<String> run(List<Segment> segments) {
    events.clear();
    try (CudaPlan plan = new CudaPlan(plans, segments)) {
      graphs.run(plan, forward);
    }
    return List.copyOf(events);
  }

  @Test
  void theFirstStepOfAShapeIsComputedTheSecondRecordedTheOthersRepeated() {
    assertThat(run(5)).containsExactly("compute");
    assertThat(run(7)).as("the same bucket").containsExactly("record", "compute", "repeat");
    assertThat(run(8)).containsExactly("repeat");
    assertThat(run(9)).as("another bucket").containsExactly("compute");
  }

  @Test
  void stepsThatPrefillAreNotRecorded() {
    List<Segment> prompt = List.of(Segments.prompt(new int[3], 0, new int[1]));
    for (int i = 0; i < 3; i++) {
      assertThat(run(prompt)).containsExactly("compute");
    }
  }

  @Test
  void aShapeWhoseFirstStepFailedIsComputedPlainlyAgain() {
    failure = new IllegalStateException("the step fails");
    for (int i = 0; i < 3; i++) {
      assertThatThrownBy(() -> run(1)).isSameAs(failure);
      assertThat(events).containsExactly("compute");
    }
    failure = null;
    assertThat(run(1)).containsExactly("compute");
    assertThat(run(1)).containsExactly("record", "compute", "repeat");
  }

  @Test
  void aStepThatCannotBeRecordedIsComputedPlainlyAndSoIsTheNext() {
    run(1);
    recordingFailure = FakeMemory.failure("cuGraphInstantiate");
    assertThat(run(1)).containsExactly("record", "compute", "compute");
    recordingFailure = null;
    assertThat(run(1)).containsExactly("compute");
    assertThat(run(1)).containsExactly("record", "compute", "repeat");
    assertThat(open).isOne();
  }

  @Test
  void aRecordingThatCannotBeRepeatedIsClosed() {
    run(1);
    repeatFailure = FakeMemory.failure("cuGraphLaunch");
    assertThat(run(1)).containsExactly("record", "compute", "repeat", "compute");
    assertThat(open).isZero();
    repeatFailure = null;
    assertThat(run(1)).containsExactly("compute");
  }

  @Test
  void whatFailsInTheStepItselfFailsTheStep() {
    run(1);
    failure = new IllegalStateException("the step fails");
    assertThatThrownBy(() -> run(1)).isSameAs(failure);
    failure = null;
    assertThat(run(1)).containsExactly("compute");
    assertThat(open).isZero();
  }

  @Test
  void nothingIsTriedOnALostDevice() {
    run(1);
    recordingFailure = FakeMemory.fatalFailure("cuStreamEndCapture");
    assertThatThrownBy(() -> run(1)).isInstanceOf(CudaFatalException.class);
    assertThat(events).containsExactly("record", "compute");
  }

  /** Whatever comes, the recordings are never more, and the last used ones are kept. */
  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3})
  void recordingsAreBounded(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 500; i++) {
      recordingFailure = random.nextInt(10) == 0 ? FakeMemory.failure("random") : null;
      run(1 + 64 * random.nextInt(60));
      assertThat(open).isLessThanOrEqualTo(StepGraphs.MOST_RECORDINGS);
    }
    recordingFailure = null;
    for (int i = 0; i < 2; i++) {
      for (int shape = 0; shape < StepGraphs.MOST_RECORDINGS; shape++) {
        run(257 + 64 * shape);
        run(257 + 64 * shape);
      }
    }
    for (int shape = 0; shape < StepGraphs.MOST_RECORDINGS; shape++) {
      assertThat(run(257 + 64 * shape)).containsExactly("repeat");
    }
    run(4096);
    run(4096);
    assertThat(run(257)).as("used longest ago").doesNotContain("repeat");
    graphs.close();
    assertThat(open).isZero();
  }

  @Test
  void reservedRecordingsAreKeptUntilTheFirstStepIsRecorded() {
    reserve();
    assertThat(open).isEqualTo(StepGraphs.MOST_RECORDINGS);
    assertThat(run(1)).containsExactly("compute");
    assertThat(open).as("nothing is recorded yet").isEqualTo(StepGraphs.MOST_RECORDINGS);
    assertThat(run(1)).containsExactly("record", "compute", "repeat");
    assertThat(openWhenRecording).as("all are closed before").isZero();
    assertThat(open).isOne();
    Set<List<String>> seen = new HashSet<>();
    for (int shape = 1; shape < 40; shape++) {
      seen.add(run(1 + 64 * shape));
      seen.add(run(1 + 64 * shape));
      assertThat(open).isEqualTo(Math.min(1 + shape, StepGraphs.MOST_RECORDINGS));
    }
    assertThat(seen)
        .containsExactlyInAnyOrder(List.of("compute"), List.of("record", "compute", "repeat"));
  }

  @Test
  void reservedRecordingsThatNothingNeededAreClosed() {
    reserve();
    graphs.close();
    assertThat(open).isZero();
  }

  private void reserve() {
    try (CudaPlan plan = new CudaPlan(plans, List.of(Segments.decode(new int[1], 0, new int[1])))) {
      graphs.reserve(plan, forward);
    }
  }

  @Test
  void forgetsWhatWasRecordedAtOtherAddresses() {
    run(1);
    run(1);
    graphs.forget();
    assertThat(open).isZero();
    assertThat(run(1)).containsExactly("compute");
    assertThat(run(1)).containsExactly("record", "compute", "repeat");
  }
}
