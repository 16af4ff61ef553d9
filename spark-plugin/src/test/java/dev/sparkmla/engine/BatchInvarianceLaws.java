package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.RecordedLogits;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.model.CacheSize;
import dev.sparkmla.model.MlaTransformer;
import dev.sparkmla.model.PendingStep;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A sequence's logits and tokens are the same, bit for bit, whatever it is batched with, wherever
 * its prompt is cut, and whatever part of it the cache has already or must be computed again.
 *
 * <p>Sequences arrive and are cancelled at random and go through the real scheduler and the real
 * model. The logits of every sampled row are compared with those of the same sequence alone.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class BatchInvarianceLaws {

  /**
   * Random work for a model.
   *
   * @param model which model
   * @param stepTokens tokens of a step at most
   * @param sequences running sequences at most
   * @param cacheBlocks blocks of the cache
   * @param requests how many sequences arrive
   * @param longestPrompt tokens of a prompt at most
   * @param mostTokens generated tokens of a sequence at most
   * @param ahead whether a step is submitted before the tokens of the one before are known
   * @param preempts whether the cache is so small that sequences are preempted
   * @param seed of everything random
   */
  record Load(
      InvarianceModel model,
      int stepTokens,
      int sequences,
      int cacheBlocks,
      int requests,
      int longestPrompt,
      int mostTokens,
      boolean ahead,
      boolean preempts,
      long seed) {}

  /** A backend; the caller closes it. */
  abstract ComputeBackend open();

  /** What is computed. */
  abstract Stream<Load> loads();

  @ParameterizedTest
  @MethodSource("loads")
  void everyRowIsComputedAsIfItWereAlone(Load load) {
    try (RecordedLogits recorded =
            new RecordedLogits(open(), load.model().config().vocabularySize());
        MlaTransformer model =
            load.model().make(recorded.backend(), new CacheSize.Blocks(load.cacheBlocks()))) {
      new Run(load, model, recorded).run();
    }
  }

  /** A load on its way. */
  private static final class Run {
    private final Load load;
    private final MlaTransformer model;
    private final RecordedLogits recorded;
    private final Random random;
    private final Scheduler scheduler;
    private final Deque<RequestAlone> toCome;
    private final Map<Sequence, RequestAlone> alone = new IdentityHashMap<>();
    private final List<Sequence> live = new ArrayList<>();
    private final Deque<PendingStep> pending = new ArrayDeque<>();
    private int cancelled;
    private long cachedTokens;
    private int steps;

    Run(Load load, MlaTransformer model, RecordedLogits recorded) {
      this.load = load;
      this.model = model;
      this.recorded = recorded;
      this.random = new Random(load.seed());
      this.scheduler =
          new Scheduler(
              load.stepTokens(),
              load.sequences(),
              load.cacheBlocks(),
              model.config().cacheShape().page(),
              model::constrain);
      this.toCome =
          new ArrayDeque<>(
              RequestAlone.draw(
                  load.requests(),
                  load.longestPrompt(),
                  load.mostTokens(),
                  random,
                  model,
                  recorded));
    }

    void run() {
      while (!toCome.isEmpty() || !scheduler.isIdle() || !pending.isEmpty()) {
        arrive();
        cancel();
        Optional<PlannedStep> planned = scheduler.plan();
        planned.ifPresent(this::submit);
        if (!pending.isEmpty() && (planned.isEmpty() || pending.size() > (load.ahead() ? 1 : 0))) {
          complete();
        }
      }
      assertThat(scheduler.pool().available())
          .as("free blocks: %s", load)
          .isEqualTo(load.cacheBlocks());
      assertThat(scheduler.preemptions() > 0).as("preempted: %s", load).isEqualTo(load.preempts());
      assertThat(cachedTokens).as("cached prompt tokens: %s", load).isPositive();
      assertThat(cancelled).as("cancelled sequences: %s", load).isPositive();
    }

    private void arrive() {
      while (!toCome.isEmpty() && (live.isEmpty() || random.nextInt(3) == 0)) {
        RequestAlone request = toCome.removeFirst();
        Sequence sequence = request.sequence();
        alone.put(sequence, request);
        live.add(sequence);
        scheduler.add(sequence);
      }
    }

    /** Cancels a sixth of the sequences at most, whatever they are doing. */
    private void cancel() {
      if (cancelled < load.requests() / 6 && !live.isEmpty() && random.nextInt(20) == 0) {
        Sequence sequence = live.remove(random.nextInt(live.size()));
        scheduler.removeIf(any -> any == sequence);
        cancelled++;
      }
    }

    private void submit(PlannedStep step) {
      pending.addLast(model.submit(step.segments()));
      scheduler.submitted(step);
      int row = 0;
      for (int i = 0; i < step.segments().size(); i++) {
        for (Segment.Sample sample : step.segments().get(i).samples()) {
          float[] expected =
              alone.get(step.sequences().get(i)).logits().get(sample.sampling().index());
          assertSame(recorded.logits(row++), expected, step, i);
        }
      }
      steps++;
    }

    private void assertSame(float[] logits, float[] expected, PlannedStep step, int index) {
      int differs = Arrays.mismatch(logits, expected);
      Segment segment = step.segments().get(index);
      assertThat(differs)
          .as(
              () ->
                  "the first logit that is not the same (%s, alone %s), of %s of %d tokens from %d on, segment %d of %d, step %d, %s"
                      .formatted(
                          logits[differs],
                          expected[differs],
                          segment.role(),
                          segment.count(),
                          segment.position(),
                          index,
                          step.segments().size(),
                          steps,
                          load))
          .isEqualTo(-1);
    }

    private void complete() {
      Scheduler.Completed completed = scheduler.complete(pending.removeFirst().tokens());
      assertThat(completed.failed()).isEmpty();
      List<Sequence> finished =
          live.stream()
              .filter(
                  one -> one.outputTokens() == one.maxTokens() || completed.stuck().contains(one))
              .toList();
      for (Sequence sequence : finished) {
        RequestAlone expected = alone.get(sequence);
        assertThat(sequence.output()).as("tokens: %s", load).isEqualTo(expected.tokens());
        assertThat(sequence.logprobs()).as("logprobs: %s", load).isEqualTo(expected.logprobs());
        assertThat(completed.stuck().contains(sequence))
            .as("is stuck: %s", load)
            .isEqualTo(expected.stuck());
        cachedTokens += sequence.cachedTokens();
      }
      live.removeAll(finished);
      scheduler.removeIf(finished::contains);
    }
  }
}
