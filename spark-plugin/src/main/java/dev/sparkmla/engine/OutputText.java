package dev.sparkmla.engine;

import dev.sparkmla.text.TokenDecoder;
import java.util.List;

/**
 * The text of one generation as it grows, up to the first stop string or the end token. A stop
 * string may span any number of tokens. Not thread-safe.
 */
final class OutputText {
  private final TokenDecoder decoder;
  private final List<String> stop;
  private final boolean includesStop;
  private final int longestStop;
  private final StringBuilder text = new StringBuilder();

  /**
   * @param stop texts that end it
   * @param includesStop whether the text holds what ended it
   */
  OutputText(TokenDecoder decoder, List<String> stop, boolean includesStop) {
    this.decoder = decoder;
    this.stop = stop;
    this.includesStop = includesStop;
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

  /** Ends the text with the token that ended the generation. */
  void end(int endToken) {
    if (!includesStop || !append(endToken)) {
      finish();
    }
  }

  /**
   * Adds what the decoder held back.
   *
   * @return whether a stop string has appeared
   */
  boolean finish() {
    return extend(decoder.finish());
  }

  /** The text, without what ended it unless that is to be included. */
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
}
