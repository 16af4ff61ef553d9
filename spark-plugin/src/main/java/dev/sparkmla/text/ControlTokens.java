package dev.sparkmla.text;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Finds spellings of control tokens in texts. Immutable. */
final class ControlTokens {
  /** Spellings by their first character, longest first. */
  private final Map<Character, List<String>> spellings = new HashMap<>();

  ControlTokens(Iterable<String> spellings) {
    for (String spelling : spellings) {
      this.spellings.computeIfAbsent(spelling.charAt(0), any -> new ArrayList<>()).add(spelling);
    }
    this.spellings
        .values()
        .forEach(list -> list.sort(Comparator.comparingInt(String::length).reversed()));
  }

  /**
   * Replaces each spelling: from left to right, the longest one at a place, none inside another.
   */
  String replace(String text, UnaryOperator<String> replacement) {
    StringBuilder replaced = null;
    int copied = 0;
    for (int at = 0; at < text.length(); ) {
      String spelling = at(text, at);
      if (spelling == null) {
        at++;
        continue;
      }
      if (replaced == null) {
        replaced = new StringBuilder(text.length() + 64);
      }
      replaced.append(text, copied, at).append(replacement.apply(spelling));
      at += spelling.length();
      copied = at;
    }
    return replaced == null ? text : replaced.append(text, copied, text.length()).toString();
  }

  /**
   * Replaces the first character of every spelling, also of one inside another, so that no spelling
   * remains.
   */
  String breakUp(String text, UnaryOperator<String> replacement) {
    StringBuilder broken = null;
    int copied = 0;
    for (int at = 0; at < text.length(); at++) {
      if (at(text, at) != null) {
        if (broken == null) {
          broken = new StringBuilder(text.length() + 64);
        }
        broken.append(text, copied, at).append(replacement.apply(text.substring(at, at + 1)));
        copied = at + 1;
      }
    }
    return broken == null ? text : broken.append(text, copied, text.length()).toString();
  }

  private String at(String text, int at) {
    for (String spelling : spellings.getOrDefault(text.charAt(at), List.of())) {
      if (text.startsWith(spelling, at)) {
        return spelling;
      }
    }
    return null;
  }
}
