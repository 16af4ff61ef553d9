package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The methods of Python's values that templates call. No method changes its value. */
final class Methods {
  private Methods() {}

  /** The method of a name of a value; null if it has none. */
  static Callable find(Object owner, String name) {
    if (owner instanceof String text) {
      return TextMethods.find(text, name);
    } else if (owner instanceof Map<?, ?> map) {
      return ofMap(map, name);
    } else if (owner instanceof List<?> list) {
      return ofList(list, name);
    }
    return null;
  }

  private static Callable ofMap(Map<?, ?> map, String name) {
    return switch (name) {
      case "items" ->
          arguments -> {
            arguments.bind(0);
            return pairs(map, arguments.budget());
          };
      case "keys" ->
          arguments -> {
            arguments.bind(0).budget().makesItems(map.size());
            return new ArrayList<Object>(map.keySet());
          };
      case "values" ->
          arguments -> {
            arguments.bind(0).budget().makesItems(map.size());
            return new ArrayList<Object>(map.values());
          };
      case "get" -> arguments -> get(map, arguments.bind(1, "key", "default"));
      default -> null;
    };
  }

  private static Object get(Map<?, ?> map, Arguments bound) {
    Object key = Values.key(bound.get(0), bound.budget());
    return map.containsKey(key) ? map.get(key) : bound.get(1, null);
  }

  /** The entries of a dictionary, each a tuple of key and value. */
  static List<Object> pairs(Map<?, ?> map, Budget budget) {
    budget.makesItems(2L * map.size());
    List<Object> pairs = new ArrayList<>(map.size());
    map.forEach((key, value) -> pairs.add(Tuple.of(key, value)));
    return pairs;
  }

  private static Callable ofList(List<?> list, String name) {
    return switch (name) {
      case "count" -> arguments -> count(list, arguments.bind(1, "value"));
      case "index" -> arguments -> index(list, arguments.bind(1, "value"));
      default -> null;
    };
  }

  private static Object count(List<?> list, Arguments bound) {
    long count = 0;
    for (Object item : list) {
      bound.budget().steps(1);
      count += Operators.equal(item, bound.get(0), bound.budget()) ? 1 : 0;
    }
    return count;
  }

  private static Object index(List<?> list, Arguments bound) {
    for (int i = 0; i < list.size(); i++) {
      bound.budget().steps(1);
      if (Operators.equal(list.get(i), bound.get(0), bound.budget())) {
        return (long) i;
      }
    }
    throw TemplateException.fault("the list does not hold what index looks for");
  }
}
