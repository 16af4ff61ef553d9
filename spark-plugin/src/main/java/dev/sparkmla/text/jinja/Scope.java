package dev.sparkmla.text.jinja;

import java.util.HashMap;
import java.util.Map;

/** Variables of a block and of what is around it. */
final class Scope {
  private final Scope outer;
  private final Map<String, Object> variables;

  Scope(Map<String, Object> variables) {
    this.outer = null;
    this.variables = variables;
  }

  private Scope(Scope outer) {
    this.outer = outer;
    this.variables = new HashMap<>();
  }

  Scope inner() {
    return new Scope(this);
  }

  Object get(String name) {
    for (Scope scope = this; scope != null; scope = scope.outer) {
      if (scope.variables.containsKey(name)) {
        return scope.variables.get(name);
      }
    }
    return new Undefined(name);
  }

  void set(String name, Object value) {
    variables.put(name, value);
  }
}
