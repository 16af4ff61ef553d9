package dev.sparkmla.text.jinja;

import java.util.Map;

/** What namespace() makes: the one value whose attributes a template may set. */
final class Namespace {
  private final Map<String, Object> values;

  /** Takes the attributes' first values; the map is the namespace's from then on. */
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
