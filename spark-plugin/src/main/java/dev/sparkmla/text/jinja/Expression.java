package dev.sparkmla.text.jinja;

/** A part of a template that has a value. */
@FunctionalInterface
interface Expression {
  Object value(Scope scope);

  /** An expression made of others: its evaluation is a step and goes a level deeper. */
  static Expression counted(Expression parts) {
    return scope -> {
      scope.budget().enter();
      Object value = parts.value(scope);
      scope.budget().leave();
      return value;
    };
  }
}
