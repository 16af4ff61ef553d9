package dev.sparkmla.engine;

import dev.sparkmla.compute.Segment;
import java.util.ArrayList;
import java.util.List;

/**
 * A step that is planned: what each of its sequences computes. It changes no sequence until {@link
 * Scheduler#submitted} is told of it.
 *
 * @param segments those that decode before those that prefill
 * @param sequences whose segment each is
 */
record PlannedStep(List<Segment> segments, List<Sequence> sequences) {
  PlannedStep {
    segments = List.copyOf(segments);
    sequences = List.copyOf(sequences);
  }

  /** Tokens that it computes. */
  int tokens() {
    return segments.stream().mapToInt(Segment::count).sum();
  }

  /**
   * The step in two, to find out which part of it cannot be computed. The results of all steps
   * before must be in: their tokens are filled in, and sequences that were dropped are left out.
   *
   * @return two halves, or fewer where too few sequences are left
   */
  List<PlannedStep> halves() {
    List<Segment> known = new ArrayList<>();
    List<Sequence> left = new ArrayList<>();
    for (int i = 0; i < segments.size(); i++) {
      Sequence sequence = sequences.get(i);
      if (!sequence.isDropped()) {
        known.add(sequence.known(segments.get(i)));
        left.add(sequence);
      }
    }
    int middle = (known.size() + 1) / 2;
    List<PlannedStep> halves = new ArrayList<>();
    for (int[] half : new int[][] {{0, middle}, {middle, known.size()}}) {
      if (half[0] < half[1]) {
        halves.add(
            new PlannedStep(known.subList(half[0], half[1]), left.subList(half[0], half[1])));
      }
    }
    return halves;
  }
}
