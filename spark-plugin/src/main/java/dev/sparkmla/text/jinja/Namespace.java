package dev.sparkmla.text.jinja;

import java.util.Map;

/**
 * The result of namespace(): the only kind of value whose attributes a template may set. For one
 * thread.
 */
final class Namespace {
  private final Map<String, Object> values;

  /**
   * @param values the first values of the attributes; the map is the namespace's from then on
   */
  Namespace(Map<String, Object> values) {
    this.values = values;
  }

  Object get(String name) {
    return values.containsKey(name) ? values.get(name) : new Undefined(name);
  }

  Map<String, Object> values() {
    return values;
  }

  void set(String name, Object value) {
    values.put(name, value);
  }
}
