package dev.sparkmla.grammar;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * A set of Unicode characters, without surrogates, which no UTF-8 text can hold.
 *
 * @param ranges disjoint and rising
 */
record CharacterSet(List<Range> ranges) {
  private static final int LAST = Character.MAX_CODE_POINT;

  /**
   * Characters in a row.
   *
   * @param least the first
   * @param largest the last
   */
  record Range(int least, int largest) {}

  /** All characters. */
  static final CharacterSet ALL = of(0, LAST);

  CharacterSet {
    ranges = List.copyOf(ranges);
  }

  /** The characters of ranges in any order, surrogates left out. */
  static CharacterSet of(List<Range> ranges) {
    return normalized(ranges);
  }

  /** The characters from one to another, surrogates left out. */
  static CharacterSet of(int least, int largest) {
    return normalized(List.of(new Range(least, largest)));
  }

  /** The characters of a text. */
  static CharacterSet of(String characters) {
    return normalized(
        characters.codePoints().mapToObj(character -> new Range(character, character)).toList());
  }

  /** Whether it has exactly one character. */
  boolean isOne() {
    return ranges.size() == 1 && ranges.get(0).least() == ranges.get(0).largest();
  }

  boolean contains(int character) {
    return ranges.stream()
        .anyMatch(range -> range.least() <= character && character <= range.largest());
  }

  /** The characters of either. */
  CharacterSet or(CharacterSet other) {
    List<Range> both = new ArrayList<>(ranges);
    both.addAll(other.ranges);
    return normalized(both);
  }

  /** The other characters. */
  CharacterSet complement() {
    List<Range> others = new ArrayList<>();
    int next = 0;
    for (Range range : ranges) {
      if (range.least() > next) {
        others.add(new Range(next, range.least() - 1));
      }
      next = range.largest() + 1;
    }
    if (next <= LAST) {
      others.add(new Range(next, LAST));
    }
    return normalized(others);
  }

  /** The characters that are in both. */
  CharacterSet and(CharacterSet other) {
    return complement().or(other.complement()).complement();
  }

  private static CharacterSet normalized(List<Range> ranges) {
    List<Range> parts = new ArrayList<>();
    for (Range range : ranges) {
      addPart(parts, range.least(), Math.min(range.largest(), Character.MIN_SURROGATE - 1));
      addPart(parts, Math.max(range.least(), Character.MAX_SURROGATE + 1), range.largest());
    }
    parts.sort(Comparator.comparingInt(Range::least));
    List<Range> merged = new ArrayList<>();
    for (Range part : parts) {
      Range last = merged.isEmpty() ? null : merged.get(merged.size() - 1);
      if (last != null && part.least() <= last.largest() + 1) {
        int largest = Math.max(last.largest(), part.largest());
        merged.set(merged.size() - 1, new Range(last.least(), largest));
      } else {
        merged.add(part);
      }
    }
    return new CharacterSet(merged);
  }

  private static void addPart(List<Range> parts, int least, int largest) {
    if (least <= largest) {
      parts.add(new Range(least, largest));
    }
  }
}
