package dev.sparkmla.text.jinja;

import java.util.List;

/** A statement or a text of a template: a part that is rendered. Immutable. */
@FunctionalInterface
interface Node {
  /** Where rendering goes on after a part. */
  enum Next {
    /** With the next part. */
    PART,
    /** With the next iteration of the enclosing loop. */
    TURN,
    /** After the enclosing loop. */
    AFTER_LOOP
  }

  Next render(Scope scope, Output output);

  /** Renders parts, one level deeper, until one of them continues or breaks the enclosing loop. */
  static Next renderAll(List<Node> nodes, Scope scope, Output output) {
    scope.budget().enter();
    Next next = Next.PART;
    for (int i = 0; i < nodes.size() && next == Next.PART; i++) {
      next = nodes.get(i).render(scope, output);
    }
    scope.budget().leave();
    return next;
  }

  /** Renders parts to a text. */
  static String text(List<Node> nodes, Scope scope) {
    Output output = new Output(scope.budget());
    renderAll(nodes, scope, output);
    return output.toString();
  }

  /** Wraps a part so that its errors name its line, unless an inner part has named its own. */
  static Node atLine(int line, Node node) {
    return (scope, output) -> {
      try {
        return node.render(scope, output);
      } catch (TemplateException e) {
        throw e.atLine(line);
      }
    };
  }
}
