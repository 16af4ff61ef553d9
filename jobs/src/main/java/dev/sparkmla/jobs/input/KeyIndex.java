package dev.sparkmla.jobs.input;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Numbers the keys of objects. Keys are the same whatever their case, as names of columns and
 * fields are in Spark. Not thread-safe.
 */
final class KeyIndex implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final int MOST_SPELLINGS = 1 << 16;

  private final List<String> names = new ArrayList<>();
  private final Map<String, Integer> byLowerCase = new HashMap<>();
  private final Map<String, Integer> bySpelling = new HashMap<>();

  /** An index of no keys. */
  KeyIndex() {}

  /** An index of some keys. */
  KeyIndex(Iterable<String> keys) {
    keys.forEach(this::add);
  }

  /** A key's number; -1 where it has none. */
  int find(String key) {
    Integer known = bySpelling.get(key);
    if (known == null) {
      known = byLowerCase.get(key.toLowerCase(Locale.ROOT));
      if (known != null && bySpelling.size() < MOST_SPELLINGS) {
        bySpelling.put(key, known);
      }
    }
    return known == null ? -1 : known;
  }

  /** The number of a key that had none as yet. */
  int add(String key) {
    int number = names.size();
    names.add(key);
    byLowerCase.put(key.toLowerCase(Locale.ROOT), number);
    bySpelling.put(key, number);
    return number;
  }

  /** Forgets all keys but the first {@code size}. */
  void shrink(int size) {
    names.subList(size, names.size()).clear();
    byLowerCase.values().removeIf(number -> number >= size);
    bySpelling.values().removeIf(number -> number >= size);
  }

  /** The keys by their numbers, as they were first spelled. */
  List<String> names() {
    return names;
  }

  int size() {
    return names.size();
  }
}
