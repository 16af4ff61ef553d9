package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The functions that every template has. */
final class Functions {
  private static final int LONGEST_RANGE = 100_000;

  static final Map<String, Object> GLOBALS =
      Map.of(
          "range", (Callable) Functions::range,
          "namespace", (Callable) (given, named) -> new Namespace(merged(given, named)),
          "dict",
              (Callable) (given, named) -> new LinkedHashMap<Object, Object>(merged(given, named)));

  private Functions() {}

  private static Object range(List<Object> given, Map<String, Object> named) {
    if (given.isEmpty() || given.size() > 3) {
      throw TemplateException.fault("range takes 1 to 3 arguments");
    }
    long begin = given.size() == 1 ? 0 : Values.asLong(given.get(0));
    long end = Values.asLong(given.get(given.size() == 1 ? 0 : 1));
    long step = given.size() < 3 ? 1 : Values.asLong(given.get(2));
    if (step == 0) {
      throw TemplateException.fault("range's step is 0");
    }
    List<Object> numbers = new ArrayList<>();
    for (long number = begin; step > 0 ? number < end : number > end; number += step) {
      if (numbers.size() == LONGEST_RANGE) {
        throw TemplateException.fault("range has more than " + LONGEST_RANGE + " numbers");
      }
      numbers.add(number);
    }
    return numbers;
  }

  private static Map<String, Object> merged(List<Object> given, Map<String, Object> named) {
    Map<String, Object> merged = new HashMap<>();
    for (Object one : given) {
      if (!(one instanceof Map<?, ?> map)) {
        throw TemplateException.fault(Values.text(one) + " is no dictionary");
      }
      map.forEach((key, value) -> merged.put(Values.text(key), value));
    }
    merged.putAll(named);
    return merged;
  }
}
