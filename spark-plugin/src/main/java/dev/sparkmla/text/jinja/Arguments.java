package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The values that a template passes to a function, a method, a filter or a test: by position, by
 * name or both. For one rendering, and so for one thread.
 */
public final class Arguments {
  private static final Object ABSENT = new Object();

  private final List<Object> positions;
  private final Map<String, Object> names;
  private final Budget budget;

  Arguments(List<Object> positions, Map<String, Object> names, Budget budget) {
    this.positions = positions;
    this.names = names;
    this.budget = budget;
  }

  static Arguments none(Budget budget) {
    return new Arguments(List.of(), Map.of(), budget);
  }

  /**
   * Binds the values to the function's parameters, as Python does. The result has them in the order
   * of the parameters.
   *
   * @param required how many of the parameters, from the first on, need a value
   * @param parameters the names of all parameters in order
   * @throws TemplateException when a required value is missing, there are too many values, or a
   *     name is unknown
   */
  public Arguments bind(int required, String... parameters) {
    if (positions.size() > parameters.length) {
      throw TemplateException.fault(
          positions.size() + " arguments are given; expected at most " + parameters.length);
    }
    List<Object> bound = new ArrayList<>(positions);
    Map<String, Object> left = new HashMap<>(names);
    for (int i = positions.size(); i < parameters.length; i++) {
      Object value = left.containsKey(parameters[i]) ? left.remove(parameters[i]) : ABSENT;
      if (value == ABSENT && i < required) {
        throw TemplateException.fault("the argument " + parameters[i] + " is missing");
      }
      bound.add(value);
    }
    if (!left.isEmpty()) {
      throw TemplateException.fault("there is no argument " + left.keySet());
    }
    return new Arguments(bound, Map.of(), budget);
  }

  /** The bound argument at an index, which must have been given. */
  public Object get(int index) {
    return positions.get(index);
  }

  /** The bound argument at an index; {@code absent} where none was given. */
  Object get(int index, Object absent) {
    Object value = positions.get(index);
    return value == ABSENT ? absent : value;
  }

  boolean isGiven(int index) {
    return positions.get(index) != ABSENT;
  }

  /** The bound argument at an index, which must be a string. */
  String text(int index) {
    if (get(index) instanceof String text) {
      return text;
    }
    throw TemplateException.fault(Values.text(get(index), budget) + " is given; expected a text");
  }

  long integer(int index, long absent) {
    return Values.asLong(get(index, absent), budget);
  }

  boolean flag(int index, boolean absent) {
    return Values.truth(get(index, absent));
  }

  /** The values that were given by position, before binding. */
  List<Object> positions() {
    return positions;
  }

  /** The values that were given by name, before binding. */
  Map<String, Object> names() {
    return names;
  }

  /** The values without the first {@code count} of those given by position. */
  Arguments without(int count) {
    return new Arguments(positions.subList(count, positions.size()), names, budget);
  }

  Budget budget() {
    return budget;
  }
}
