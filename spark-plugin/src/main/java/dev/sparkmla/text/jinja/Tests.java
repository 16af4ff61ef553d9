package dev.sparkmla.text.jinja;

import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The tests of Jinja2 that chat templates use: what follows {@code is}. */
final class Tests {
  /** A test of a value. */
  @FunctionalInterface
  interface Test {
    boolean holds(Object value, List<Object> given);
  }

  static final Map<String, Test> ALL = all();

  private Tests() {}

  private static Map<String, Test> all() {
    Map<String, Test> all = new HashMap<>();
    all.put("defined", (value, given) -> !(value instanceof Undefined));
    all.put("undefined", (value, given) -> value instanceof Undefined);
    all.put("none", (value, given) -> value == null);
    all.put("string", (value, given) -> value instanceof String);
    all.put("boolean", (value, given) -> value instanceof Boolean);
    all.put("true", (value, given) -> Boolean.TRUE.equals(value));
    all.put("false", (value, given) -> Boolean.FALSE.equals(value));
    all.put("number", (value, given) -> value instanceof Number || value instanceof Boolean);
    all.put("integer", (value, given) -> value instanceof Long);
    all.put("float", (value, given) -> value instanceof Double);
    all.put("mapping", (value, given) -> value instanceof Map);
    all.put("sequence", (value, given) -> isIterable(value));
    all.put("iterable", (value, given) -> isIterable(value) || value instanceof Undefined);
    all.put("callable", (value, given) -> value instanceof Callable);
    all.put("odd", (value, given) -> Math.floorMod(Values.asLong(value), 2L) == 1);
    all.put("even", (value, given) -> Math.floorMod(Values.asLong(value), 2L) == 0);
    all.put("divisibleby", (value, given) -> Values.equal(Values.modulo(value, given.get(0)), 0L));
    all.put(
        "lower",
        (value, given) -> {
          String text = Values.text(value);
          return text.equals(text.toLowerCase(Locale.ROOT)) && hasLetters(text);
        });
    all.put(
        "upper",
        (value, given) -> {
          String text = Values.text(value);
          return text.equals(text.toUpperCase(Locale.ROOT)) && hasLetters(text);
        });
    all.put("in", (value, given) -> Values.compare("in", value, given.get(0)));
    for (String name : List.of("eq", "equalto", "==", "sameas")) {
      all.put(name, (value, given) -> Values.equal(value, given.get(0)));
    }
    comparison("!=", List.of("ne", "!="), all);
    comparison("<", List.of("lt", "lessthan", "<"), all);
    comparison("<=", List.of("le", "<="), all);
    comparison(">", List.of("gt", "greaterthan", ">"), all);
    comparison(">=", List.of("ge", ">="), all);
    return Collections.unmodifiableMap(all);
  }

  private static void comparison(String operator, List<String> names, Map<String, Test> all) {
    for (String name : names) {
      all.put(name, (value, given) -> Values.compare(operator, value, given.get(0)));
    }
  }

  private static boolean isIterable(Object value) {
    return value instanceof List || value instanceof Map || value instanceof String;
  }

  private static boolean hasLetters(String text) {
    return text.chars().anyMatch(Character::isLetter);
  }
}
