package dev.sparkmla.text.jinja;

import java.util.HashMap;
import java.util.Map;

/**
 * The variables of a block and of the blocks around it, and the budget of the rendering. For one
 * thread.
 */
final class Scope {
  private final Scope outer;
  private final Map<String, Object> variables;
  private final Budget budget;

  Scope(Map<String, Object> variables, Budget budget) {
    this(null, variables, budget);
  }

  private Scope(Scope outer, Map<String, Object> variables, Budget budget) {
    this.outer = outer;
    this.variables = variables;
    this.budget = budget;
  }

  Scope inner() {
    return new Scope(this, new HashMap<>(), budget);
  }

  Object get(String name) {
    for (Scope scope = this; scope != null; scope = scope.outer) {
      Object value = scope.variables.get(name);
      if (value != null || scope.variables.containsKey(name)) {
        return value;
      }
    }
    return new Undefined(name);
  }

  void set(String name, Object value) {
    variables.put(name, value);
  }

  Budget budget() {
    return budget;
  }
}
