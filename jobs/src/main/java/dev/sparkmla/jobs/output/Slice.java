package dev.sparkmla.jobs.output;

import dev.sparkmla.jobs.input.RowRange;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A committed slice, as its file's name says it.
 *
 * @param rows the input's rows that it holds
 * @param run the run that wrote it, from 1
 * @param attempt which attempt of a task in that run
 * @param extension of the file, with its dot
 */
record Slice(RowRange rows, int run, long attempt, String extension) implements Serializable {
  private static final Pattern NAME =
      Pattern.compile("part-(\\d{12,18})-(\\d{12,18})-run(\\d{1,9})-(\\d{1,18})(\\..+)");

  /** Reads a file's name; empty where it is no slice's. */
  static Optional<Slice> ofName(String name) {
    Matcher parts = NAME.matcher(name);
    if (!parts.matches()) {
      return Optional.empty();
    }
    long first = Long.parseLong(parts.group(1));
    long end = Long.parseLong(parts.group(2));
    return first < end
        ? Optional.of(
            new Slice(
                new RowRange(first, end),
                Integer.parseInt(parts.group(3)),
                Long.parseLong(parts.group(4)),
                parts.group(5)))
        : Optional.empty();
  }

  /** The file's name; files sort as their rows do. */
  String name() {
    return String.format(
        Locale.ROOT,
        "part-%012d-%012d-run%d-%d%s",
        rows.first(),
        rows.end(),
        run,
        attempt,
        extension);
  }

  /**
   * Chooses slices of which none has a row of another, and which have the most rows together. There
   * are others only where two attempts of a task committed, or a run that was thought dead did.
   *
   * @return in the order of their rows
   */
  static List<Slice> distinct(Collection<Slice> slices) {
    List<Slice> byEnd = new ArrayList<>(slices);
    byEnd.sort(
        Comparator.comparing((Slice slice) -> slice.rows().end()).thenComparing(Slice::name));
    // Weighted interval scheduling: most[i] is what the first i slices can have.
    long[] most = new long[byEnd.size() + 1];
    for (int i = 0; i < byEnd.size(); i++) {
      most[i + 1] = Math.max(most[i], most[before(byEnd, i)] + byEnd.get(i).rows().rows());
    }
    List<Slice> chosen = new ArrayList<>();
    for (int i = byEnd.size(); i > 0; ) {
      if (most[i] == most[i - 1]) {
        i--;
      } else {
        chosen.add(byEnd.get(i - 1));
        i = before(byEnd, i - 1);
      }
    }
    Collections.reverse(chosen);
    return chosen;
  }

  /**
   * Keeps slices that are certain, and chooses of others as {@link #distinct(Collection)} does
   * among those that have no row of a certain one.
   *
   * @param certain slices of which none has a row of another
   * @return all that are kept, in the order of their rows
   */
  static List<Slice> distinct(Collection<Slice> certain, Collection<Slice> others) {
    TreeMap<Long, Slice> byFirst = new TreeMap<>();
    certain.forEach(slice -> byFirst.put(slice.rows().first(), slice));
    List<Slice> kept = new ArrayList<>(certain);
    kept.addAll(distinct(others.stream().filter(slice -> isApart(slice, byFirst)).toList()));
    kept.sort(Comparator.comparing(slice -> slice.rows().first()));
    return kept;
  }

  private static boolean isApart(Slice slice, TreeMap<Long, Slice> byFirst) {
    Map.Entry<Long, Slice> before = byFirst.lowerEntry(slice.rows().end());
    return before == null || before.getValue().rows().end() <= slice.rows().first();
  }

  /** How many slices end where one begins, or before. */
  private static int before(List<Slice> byEnd, int slice) {
    long first = byEnd.get(slice).rows().first();
    int low = 0;
    int high = slice;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (byEnd.get(middle).rows().end() <= first) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /**
   * The rows of a range that are in no slice.
   *
   * @param slices distinct ones, in order
   */
  static List<RowRange> missing(List<Slice> slices, RowRange range) {
    List<RowRange> missing = new ArrayList<>();
    long next = range.first();
    for (Slice slice : slices) {
      long first = Math.min(slice.rows().first(), range.end());
      if (first > next) {
        missing.add(new RowRange(next, first));
      }
      next = Math.max(next, slice.rows().end());
    }
    if (next < range.end()) {
      missing.add(new RowRange(next, range.end()));
    }
    return missing;
  }
}
