package dev.sparkmla.engine;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.model.LanguageModel;
import dev.sparkmla.model.PendingStep;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The life of the stepping thread: takes rows from the queue, steps the model, and gives the rows'
 * batches their results, until the queue ends.
 *
 * <p>Where the model runs ahead, a step is submitted before the results of the one before it are
 * taken in, so that the device does not wait for the host; text is made meanwhile.
 *
 * <p><b>Failures.</b>
 *
 * <ul>
 *   <li>A row whose logits are no numbers ends in error; the step's other rows go on. So does one
 *       whose answer can neither go on nor end.
 *   <li>A step that cannot be submitted is submitted in halves, and these again, so that a row ends
 *       in error only if it cannot be computed alone.
 *   <li>Where the results of a submitted step are lost, all rows are computed anew, but for one
 *       that was alone in the step, which ends in error.
 *   <li>After {@value #MOST_FAILURES} failed steps with no token chosen between them, and after
 *       everything that is no {@link ComputeException}, the queue ends with an {@link
 *       EngineFailedException}.
 * </ul>
 *
 * <p>However it ends, the steps in flight are waited for, and every open batch is failed.
 *
 * <p>It uses the model from the thread that runs it alone, and does not close it.
 */
final class GenerationLoop implements Runnable {
  /** Failed steps in a row that end the engine. */
  static final int MOST_FAILURES = 10;

  private final LanguageModel model;
  private final Scheduler scheduler;
  private final GenerationQueue queue;
  private final EngineCounters counters;
  private final int stepsAhead;
  private final Map<Sequence, Generation> generations = new HashMap<>();

  /** Submitted steps whose results are not in, in their order, with their sequences. */
  private final Deque<InFlight> inFlight = new ArrayDeque<>();

  /**
   * Steps that failed since one chose a token. Others do not count as successes: after a restart,
   * prompts are computed anew before it is seen whether generation goes on.
   */
  private int failures;

  private record InFlight(PlannedStep step, PendingStep results) {}

  GenerationLoop(
      LanguageModel model, Scheduler scheduler, GenerationQueue queue, EngineCounters counters) {
    this.model = model;
    this.scheduler = scheduler;
    this.queue = queue;
    this.counters = counters;
    this.stepsAhead = model.runsAhead() ? 1 : 0;
  }

  @Override
  public void run() {
    try {
      while (takeArrivals()) {
        long start = System.nanoTime();
        step();
        counters.stepped(System.nanoTime() - start);
        counters.publish(scheduler);
      }
    } catch (Throwable failure) { // Also errors: nobody may wait for a thread that is gone.
      queue.end(new EngineFailedException(failure));
    } finally {
      finish();
    }
  }

  /** Waits for something to do, takes in what arrived, and drops what nobody waits for. */
  private boolean takeArrivals() throws InterruptedException {
    Optional<GenerationQueue.Arrivals> arrivals =
        queue.take(scheduler.isIdle() && inFlight.isEmpty());
    if (arrivals.isEmpty()) {
      return false;
    }
    for (Generation generation : arrivals.get().rows()) {
      if (!generation.batch().isDone()) {
        generations.put(generation.sequence(), generation);
        scheduler.add(generation.sequence());
      }
    }
    if (arrivals.get().someAbandoned()) {
      drop(
          generations.values().stream().filter(generation -> generation.batch().isDone()).toList());
    }
    counters.publish(scheduler);
    return true;
  }

  /**
   * Submits the next step, and takes in the results of the one before it, or of the same one where
   * the model does not run ahead.
   */
  private void step() {
    Optional<PlannedStep> planned = scheduler.plan();
    if (planned.isPresent()) {
      Optional<ComputeException> failure = submit(planned.get());
      if (failure.isPresent()) {
        submitInParts(planned.get(), failure.get());
        return;
      }
    }
    if (!inFlight.isEmpty() && (planned.isEmpty() || inFlight.size() > stepsAhead)) {
      takeResults();
    }
  }

  /** Returns why the model did not take the step, if it did not. */
  private Optional<ComputeException> submit(PlannedStep step) {
    try {
      inFlight.addLast(new InFlight(step, model.submit(step.segments())));
    } catch (ComputeException failure) {
      return Optional.of(failure);
    }
    scheduler.submitted(step);
    counters.stepSubmitted(step);
    return Optional.empty();
  }

  /**
   * Submits what can be computed of a step that could not be submitted, and ends the rows that
   * cannot. Halves of a level come before their own halves: so a single bad row is followed by
   * successes, and does not look like a device on which nothing works.
   */
  private void submitInParts(PlannedStep failed, ComputeException reason) {
    // With all results in, all tokens are known, and memory that earlier steps held is free.
    if (!takeAllResults()) {
      return;
    }
    Deque<PlannedStep> parts = new ArrayDeque<>();
    split(failed, reason, parts);
    while (!parts.isEmpty()) {
      PlannedStep part = parts.removeFirst();
      Optional<ComputeException> failure = submit(part);
      if (failure.isPresent()) {
        split(part, failure.get(), parts);
      } else if (!takeAllResults()) {
        return;
      }
    }
  }

  private void split(PlannedStep failed, ComputeException reason, Deque<PlannedStep> parts) {
    countFailure(reason);
    if (failed.sequences().size() > 1) {
      parts.addAll(failed.halves());
    } else {
      failAlone(failed, reason);
    }
  }

  /** Returns whether none was lost; where one was, what is planned holds no longer. */
  private boolean takeAllResults() {
    boolean valid = true;
    while (!inFlight.isEmpty()) {
      valid &= takeResults();
    }
    return valid;
  }

  /** Takes in the results of the first step in flight, and returns whether there were any. */
  private boolean takeResults() {
    InFlight first = inFlight.removeFirst();
    SampledTokens tokens;
    try {
      tokens = first.results().tokens();
    } catch (ComputeException failure) {
      restart(first.step(), failure);
      return false;
    }
    if (tokens.rows() > 0) {
      failures = 0;
    }
    Scheduler.Completed completed = scheduler.complete(tokens);
    List<Generation> ended = new ArrayList<>();
    for (Sequence sequence : completed.grown()) {
      counters.tokenGenerated(sequence);
      if (generations.get(sequence).advance()) {
        ended.add(generations.get(sequence));
      }
    }
    for (Sequence sequence : completed.failed()) {
      generations
          .get(sequence)
          .fail(
              ErrorCode.NUMERICAL_ERROR,
              "The logits of the token after "
                  + sequence.length()
                  + " tokens hold NaN or infinity: with this prompt the model's numbers leave their"
                  + " range.");
      ended.add(generations.get(sequence));
    }
    for (Sequence sequence : completed.stuck()) {
      generations.get(sequence).stop();
      ended.add(generations.get(sequence));
    }
    end(ended);
    return true;
  }

  /**
   * Goes on with an empty cache, since it is not known what the lost step and those after it wrote.
   */
  private void restart(PlannedStep lost, ComputeException reason) {
    countFailure(reason);
    awaitAll();
    scheduler.restart();
    if (lost.sequences().size() == 1) {
      failAlone(lost, reason);
    }
    counters.publish(scheduler);
  }

  /** Ends the one row of a step, unless it has ended. */
  private void failAlone(PlannedStep step, ComputeException reason) {
    Generation generation = generations.get(step.sequences().get(0));
    if (generation != null) {
      generation.fail(ErrorCode.COMPUTE_ERROR, reason.getMessage());
      end(List.of(generation));
    }
  }

  private void countFailure(ComputeException reason) {
    failures++;
    if (failures == MOST_FAILURES) {
      throw new ComputeException(
          failures + " steps in a row failed, the last with: " + reason.getMessage(), reason);
    }
  }

  /** Drops rows that have their results, and delivers these. */
  private void end(List<Generation> ended) {
    drop(ended);
    counters.publish(scheduler);
    // Last, so that whoever sees a result also sees its blocks given back.
    ended.forEach(generation -> generation.batch().deliver());
  }

  private void drop(List<Generation> dropped) {
    if (!dropped.isEmpty()) {
      Set<Sequence> sequences = new HashSet<>();
      dropped.forEach(generation -> sequences.add(generation.sequence()));
      scheduler.removeIf(sequences::contains);
      generations.keySet().removeAll(sequences);
    }
  }

  /** Waits for the steps in flight, whose results nobody needs. */
  private void awaitAll() {
    while (!inFlight.isEmpty()) {
      try {
        inFlight.removeFirst().results().tokens();
      } catch (RuntimeException another) {
        // The first failure counts. A device that is lost says so again at the next step.
      }
    }
  }

  private void finish() {
    try {
      awaitAll();
      generations.clear();
      scheduler.clear();
      counters.publish(scheduler);
    } finally {
      queue.failOpen();
    }
  }
}
