package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The functions that every template can call. */
final class Functions {
  /** The limit of Jinja2's sandbox, in which the transformers library renders. */
  private static final int LONGEST_RANGE = 100_000;

  static final Map<String, Object> GLOBALS =
      Map.of(
          "range", (Callable) Functions::range,
          "namespace", (Callable) arguments -> new Namespace(attributes(arguments)),
          "dict", (Callable) Functions::dictionary,
          "joiner", (Callable) Functions::joiner);

  private Functions() {}

  private static Object range(Arguments arguments) {
    boolean one = arguments.positions().size() == 1;
    Arguments bound = arguments.bind(1, "start", "stop", "step");
    long begin = one ? 0 : bound.integer(0, 0);
    long end = bound.integer(one ? 0 : 1, 0);
    long step = bound.integer(2, 1);
    if (step == 0) {
      throw TemplateException.fault("range's step is 0");
    }
    List<Object> numbers = new ArrayList<>();
    for (long number = begin; step > 0 ? number < end : number > end; number += step) {
      if (numbers.size() == LONGEST_RANGE) {
        throw TemplateException.fault("range has more than " + LONGEST_RANGE + " numbers");
      }
      numbers.add(number);
      if (step > 0 ? number > Long.MAX_VALUE - step : number < Long.MIN_VALUE - step) {
        break;
      }
    }
    bound.budget().makesItems(numbers.size());
    return numbers;
  }

  private static Map<String, Object> attributes(Arguments arguments) {
    Map<String, Object> attributes = new LinkedHashMap<>();
    dictionary(arguments)
        .forEach((key, value) -> attributes.put(Values.text(key, arguments.budget()), value));
    return attributes;
  }

  private static Map<Object, Object> dictionary(Arguments arguments) {
    Map<Object, Object> made = new LinkedHashMap<>();
    for (Object one : arguments.positions()) {
      if (!(one instanceof Map<?, ?> map)) {
        throw TemplateException.fault("what is given is no dictionary");
      }
      arguments.budget().makesItems(2L * map.size());
      made.putAll(map);
    }
    made.putAll(arguments.names());
    return made;
  }

  /**
   * {@code joiner(sep)}: a function that returns an empty string on its first call and the
   * separator on later ones.
   */
  private static Object joiner(Arguments arguments) {
    Arguments bound = arguments.bind(0, "sep");
    Object separator = bound.get(0, ", ");
    boolean[] called = {false};
    return (Callable)
        none -> {
          boolean first = !called[0];
          called[0] = true;
          return first ? "" : separator;
        };
  }
}
