package dev.sparkmla.engine;

import java.util.List;

/** A text as it grows, up to the first stop string. Not thread-safe. */
final class StoppedText {
  private final List<String> stop;
  private final boolean includesStop;
  private final int longestStop;
  private final StringBuilder text = new StringBuilder();

  /**
   * @param stop texts that end it
   * @param includesStop whether the text holds what ended it
   */
  StoppedText(List<String> stop, boolean includesStop) {
    this.stop = stop;
    this.includesStop = includesStop;
    this.longestStop = stop.stream().mapToInt(String::length).max().orElse(0);
  }

  boolean includesStop() {
    return includesStop;
  }

  /**
   * Adds to the text.
   *
   * @return whether a stop string has appeared; nothing may be added then
   */
  boolean append(String added) {
    if (added.isEmpty()) {
      return false;
    }
    int from = Math.max(0, text.length() - longestStop + 1);
    text.append(added);
    int first = -1;
    int end = -1;
    for (String candidate : stop) {
      int found = text.indexOf(candidate, from);
      if (found >= 0 && (first < 0 || found < first)) {
        first = found;
        end = found + candidate.length();
      }
    }
    if (first >= 0) {
      text.setLength(includesStop ? end : first);
    }
    return first >= 0;
  }

  boolean isEmpty() {
    return text.isEmpty();
  }

  @Override
  public String toString() {
    return text.toString();
  }
}
