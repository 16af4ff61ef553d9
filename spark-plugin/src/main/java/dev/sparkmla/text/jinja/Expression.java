package dev.sparkmla.text.jinja;

/** An expression of a template: a part that has a value. Immutable. */
@FunctionalInterface
interface Expression {
  Object value(Scope scope);

  /**
   * Wraps an expression made of others, so that its evaluation counts a step and enters a level of
   * nesting.
   */
  static Expression counted(Expression parts) {
    return scope -> {
      scope.budget().enter();
      Object value = parts.value(scope);
      scope.budget().leave();
      return value;
    };
  }
}
