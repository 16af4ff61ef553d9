package dev.sparkmla.text.jinja;

import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;

/** The tests of Jinja2, which follow {@code is}. */
final class Tests {
  /** A test of a value. */
  @FunctionalInterface
  private interface Test {
    boolean holds(Object value, Arguments arguments);
  }

  private static final Map<String, Test> ALL = all();

  private Tests() {}

  /**
   * Whether a value passes the test of a name.
   *
   * @throws TemplateException when there is no such test, or it fails
   */
  static boolean holds(String name, Object value, Arguments arguments) {
    Test test = ALL.get(name);
    if (test == null) {
      throw TemplateException.fault("there is no test " + name);
    }
    return test.holds(value, arguments);
  }

  private static Map<String, Test> all() {
    Map<String, Test> all = new HashMap<>();
    plain("defined", value -> !(value instanceof Undefined), all);
    plain("undefined", value -> value instanceof Undefined, all);
    plain("none", value -> value == null, all);
    plain("string", value -> value instanceof String, all);
    plain("boolean", value -> value instanceof Boolean, all);
    plain("true", value -> Boolean.TRUE.equals(value), all);
    plain("false", value -> Boolean.FALSE.equals(value), all);
    plain("number", value -> value instanceof Number || value instanceof Boolean, all);
    plain("integer", value -> value instanceof Long, all);
    plain("float", value -> value instanceof Double, all);
    plain("mapping", value -> value instanceof Map, all);
    plain("sequence", value -> isIterable(value) || value instanceof Undefined, all);
    plain("iterable", value -> isIterable(value) || value instanceof Undefined, all);
    plain("callable", value -> value instanceof Callable || value instanceof Undefined, all);
    all.put("odd", (value, a) -> isDivisible(value, 2L, 1L, a.bind(0)));
    all.put("even", (value, a) -> isDivisible(value, 2L, 0L, a.bind(0)));
    all.put("lower", (value, a) -> isLower(Values.text(value, a.bind(0).budget())));
    all.put("upper", (value, a) -> isUpper(Values.text(value, a.bind(0).budget())));
    all.put("filter", (value, a) -> value instanceof String name && Filters.has(name));
    all.put("test", (value, a) -> value instanceof String name && has(name));
    all.put("sameas", (value, a) -> isSame(value, a.bind(1, "other").get(0)));
    all.put("divisibleby", (value, a) -> isDivisible(value, a.bind(1, "num").get(0), 0L, a));
    comparison("in", List.of("in"), all);
    comparison("==", List.of("eq", "equalto", "=="), all);
    comparison("!=", List.of("ne", "!="), all);
    comparison("<", List.of("lt", "lessthan", "<"), all);
    comparison("<=", List.of("le", "<="), all);
    comparison(">", List.of("gt", "greaterthan", ">"), all);
    comparison(">=", List.of("ge", ">="), all);
    return Collections.unmodifiableMap(all);
  }

  private static boolean has(String name) {
    return ALL.containsKey(name);
  }

  /** Adds a test without parameters. */
  private static void plain(String name, Predicate<Object> test, Map<String, Test> all) {
    all.put(
        name,
        (value, a) -> {
          a.bind(0);
          return test.test(value);
        });
  }

  private static void comparison(String operator, List<String> names, Map<String, Test> all) {
    for (String name : names) {
      all.put(
          name,
          (value, a) -> Operators.compare(operator, value, a.bind(1, "other").get(0), a.budget()));
    }
  }

  private static boolean isDivisible(
      Object value, Object divisor, Object remainder, Arguments arguments) {
    Budget budget = arguments.budget();
    return Operators.equal(Operators.modulo(value, divisor, budget), remainder, budget);
  }

  /** Whether two values are identical; in Python, None, True and False each exist once. */
  private static boolean isSame(Object value, Object other) {
    return value == other || (value instanceof Boolean && value.equals(other));
  }

  private static boolean isIterable(Object value) {
    return value instanceof List || value instanceof Map || value instanceof String;
  }

  private static boolean isLower(String text) {
    return text.equals(text.toLowerCase(Locale.ROOT)) && TextMethods.hasCase(text);
  }

  private static boolean isUpper(String text) {
    return text.equals(text.toUpperCase(Locale.ROOT)) && TextMethods.hasCase(text);
  }
}
