package dev.sparkmla.grammar;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** The general categories of Unicode, as the Java that runs knows them. */
final class UnicodeCategory {
  /** Names by the numbers of {@link Character#getType(int)}, of which 17 has none. */
  private static final List<String> NAMES =
      List.of(
          "Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Me", "Mc", "Nd", "Nl", "No", "Zs", "Zl", "Zp",
          "Cc", "Cf", "", "Co", "Cs", "Pd", "Ps", "Pe", "Pc", "Po", "Sm", "Sc", "Sk", "So", "Pi",
          "Pf");

  private static final Map<String, CharacterSet> SETS = sets();

  private UnicodeCategory() {}

  /** The characters of a category, such as {@code Lu}, or of a group of categories, such as L. */
  static Optional<CharacterSet> of(String name) {
    return Optional.ofNullable(SETS.get(name));
  }

  private static Map<String, CharacterSet> sets() {
    Map<String, List<CharacterSet.Range>> ranges = new HashMap<>();
    int first = 0;
    for (int character = 1; character <= Character.MAX_CODE_POINT + 1; character++) {
      if (character > Character.MAX_CODE_POINT
          || Character.getType(character) != Character.getType(first)) {
        String name = NAMES.get(Character.getType(first));
        CharacterSet.Range range = new CharacterSet.Range(first, character - 1);
        ranges.computeIfAbsent(name, key -> new ArrayList<>()).add(range);
        ranges.computeIfAbsent(name.substring(0, 1), key -> new ArrayList<>()).add(range);
        first = character;
      }
    }
    return ranges.entrySet().stream()
        .collect(
            Collectors.toUnmodifiableMap(
                Map.Entry::getKey, entry -> CharacterSet.of(entry.getValue())));
  }
}
