package dev.sparkmla.engine;

import dev.sparkmla.text.TokenDecoder;
import java.util.List;

/**
 * The text of one generation as it grows, up to the first stop string. A stop string may span any
 * number of tokens. Not thread-safe.
 */
final class OutputText {
  private final TokenDecoder decoder;
  private final List<String> stop;
  private final int longestStop;
  private final StringBuilder text = new StringBuilder();

  OutputText(TokenDecoder decoder, List<String> stop) {
    this.decoder = decoder;
    this.stop = stop;
    this.longestStop = stop.stream().mapToInt(String::length).max().orElse(0);
  }

  /**
   * Adds a token.
   *
   * @return whether a stop string has appeared; nothing may be added then
   */
  boolean append(int token) {
    return extend(decoder.append(token));
  }

  /**
   * Adds what the decoder held back.
   *
   * @return whether a stop string has appeared
   */
  boolean finish() {
    return extend(decoder.finish());
  }

  /** The text before the first stop string. */
  String text() {
    return text.toString();
  }

  private boolean extend(String added) {
    if (added.isEmpty()) {
      return false;
    }
    int from = Math.max(0, text.length() - longestStop + 1);
    text.append(added);
    int first = -1;
    for (String candidate : stop) {
      int found = text.indexOf(candidate, from);
      if (found >= 0 && (first < 0 || found < first)) {
        first = found;
      }
    }
    if (first >= 0) {
      text.setLength(first);
    }
    return first >= 0;
  }
}
