package dev.sparkmla.text.jinja;

import java.util.ArrayList;
import java.util.List;

/**
 * The for statement: renders its body for each item that passes the filter, or its else part when
 * no item does. Immutable.
 *
 * @param targets the variable that an item is assigned to, or the variables that its own items are
 *     assigned to
 * @param filter the condition after {@code if}; null when every item passes
 */
record ForLoop(
    List<String> targets,
    Expression items,
    Expression filter,
    List<Node> body,
    List<Node> otherwise)
    implements Node {
  @Override
  public Next render(Scope scope, Output output) {
    List<Object> passed = passed(Values.items(items.value(scope), scope.budget()), scope);
    if (passed.isEmpty()) {
      return Node.renderAll(otherwise, scope.inner(), output);
    }
    Loop loop = Loop.first(passed, scope.get("loop"));
    for (Object item : passed) {
      Scope turn = scope.inner();
      turn.set("loop", loop);
      assign(targets, item, turn);
      if (Node.renderAll(body, turn, output) == Next.AFTER_LOOP) {
        break;
      }
      loop = loop.next();
    }
    return Next.PART;
  }

  private List<Object> passed(List<Object> all, Scope scope) {
    if (filter == null) {
      return all;
    }
    List<Object> passed = new ArrayList<>();
    for (Object item : all) {
      scope.budget().makesItems(1);
      Scope tried = scope.inner();
      assign(targets, item, tried);
      if (Values.truth(filter.value(tried))) {
        passed.add(item);
      }
    }
    return passed;
  }

  /** Assigns a value to one variable, or its items to several variables. */
  static void assign(List<String> names, Object value, Scope scope) {
    scope.budget().steps(1);
    if (names.size() == 1) {
      scope.set(names.get(0), value);
      return;
    }
    List<Object> values = Values.items(value, scope.budget());
    if (values.size() != names.size()) {
      throw TemplateException.fault(values.size() + " values for " + names);
    }
    for (int i = 0; i < names.size(); i++) {
      scope.set(names.get(i), values.get(i));
    }
  }
}
