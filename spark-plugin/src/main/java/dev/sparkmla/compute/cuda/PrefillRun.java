package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Segment;
import java.util.ArrayList;
import java.util.List;

/**
 * Keys that are expanded and attended to in one launch: all keys of neighbouring segments, or a
 * part of those of one long segment. A long context is cut at multiples of {@link #MOST_KEYS} from
 * its start, so that the cut does not depend on how the prompt was divided into steps.
 *
 * @param segments how many
 * @param firstSegment the first among the prefilling ones
 * @param firstRow the first query row among the prefilling ones
 * @param rows query rows
 * @param firstKey position of the first key of each segment
 * @param keys number of keys
 * @param merge whether parts of the same segment came before
 */
record PrefillRun(
    int segments, int firstSegment, int firstRow, int rows, int firstKey, int keys, boolean merge) {
  /** Keys expanded at once; of 16 heads with 128 + 128 elements they take 256 MiB. */
  static final int MOST_KEYS = 32768;

  /** Words of the arrays that it needs on the device: see {@link PlanLayout}. */
  int words() {
    return words(segments);
  }

  /** Words of a run of so many segments. */
  static int words(int segments) {
    return 2 * (segments + 1) + 2 * segments;
  }

  static List<PrefillRun> of(List<Segment> segments) {
    List<PrefillRun> runs = new ArrayList<>();
    int row = 0;
    int at = 0;
    while (at < segments.size()) {
      int count = 0;
      int rows = 0;
      int keys = 0;
      while (at + count < segments.size() && keys + segments.get(at + count).end() <= MOST_KEYS) {
        keys += segments.get(at + count).end();
        rows += segments.get(at + count).count();
        count++;
      }
      if (count > 0) {
        runs.add(new PrefillRun(count, at, row, rows, 0, keys, false));
      } else {
        count = 1;
        rows = segments.get(at).count();
        int all = segments.get(at).end();
        for (int first = 0; first < all; first += MOST_KEYS) {
          runs.add(
              new PrefillRun(1, at, row, rows, first, Math.min(MOST_KEYS, all - first), first > 0));
        }
      }
      row += rows;
      at += count;
    }
    return runs;
  }
}
